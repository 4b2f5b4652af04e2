import * as React from 'react';
import type { PoolView } from '../api/types';
import { poolIcon } from '../icons';
import { useKeptFocus } from './focus';
import type { IVmActionsProps } from './VmActions';
import { StartButton, VmActions } from './VmActions';
import { VmStatus } from './VmStatus';

export type ICardProps = Pick<IVmActionsProps, 'pending' | 'connected' | 'trans' | 'onAction'> & {
  readonly language: string;
};

/** A pool, and the user's VM from it. */
export function PoolCard(props: ICardProps & { readonly pool: PoolView }): JSX.Element {
  const { pool, trans } = props;
  const { vm, why } = pool;
  const titleId = React.useId();
  const keptFocus = useKeptFocus<HTMLLIElement>('button');
  const actions = { ...props, target: { pool: pool.name }, vm, why };
  return (
    <li
      {...keptFocus}
      className="jp-VmPool-Card"
      data-pool={pool.name}
      data-state={vm?.state ?? 'none'}
      aria-labelledby={titleId}
    >
      <header className="jp-VmPool-CardHeader">
        <poolIcon.react tag="span" className="jp-VmPool-Icon" />
        <h4 className="jp-VmPool-PoolName" id={titleId} title={pool.name}>
          {pool.name}
        </h4>
        <span className="jp-VmPool-Free">{trans.__('%1 of %2 free', pool.free, pool.total)}</span>
      </header>
      {vm ? (
        <>
          <h5 className="jp-VmPool-VmName" title={vm.name}>
            {vm.name}
          </h5>
          <VmStatus {...props} vm={vm} why={why} isKept />
          <VmActions {...actions} />
        </>
      ) : (
        <StartButton {...actions} />
      )}
    </li>
  );
}
