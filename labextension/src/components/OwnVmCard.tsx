import * as React from 'react';
import type { OwnVmView } from '../api/types';
import type { ICardProps } from './PoolCard';
import { VmActions } from './VmActions';
import { VmStatus } from './VmStatus';

/** A VM that was granted by its name: there is no pool to get it from, and none to give it back to. */
export function OwnVmCard(props: ICardProps & { readonly vm: OwnVmView }): JSX.Element {
  const { vm } = props;
  const titleId = React.useId();
  return (
    <li
      className="jp-VmPool-Card"
      data-vm-card={vm.name}
      data-state={vm.state}
      aria-labelledby={titleId}
    >
      <h4 className="jp-VmPool-VmName" id={titleId} title={vm.name}>
        {vm.name}
      </h4>
      <VmStatus {...props} why={vm.why} isKept={false} />
      <VmActions {...props} target={{ vm: vm.name }} why={vm.why} />
    </li>
  );
}
