import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { OwnVmView, PoolView } from '../api/types';
import type { Phase } from '../model/phase';
import { phaseOf } from '../model/phase';
import { phaseWord } from '../wording';

export interface IAnnouncerProps {
  readonly pools: readonly PoolView[];
  readonly vms: readonly OwnVmView[];
  readonly trans: TranslationBundle;
}

/** Tells screen readers what VMs have come to: one place for all, that is there before there is news. */
export function Announcer(props: IAnnouncerProps): JSX.Element {
  const phases = phasesOf(props);
  const before = React.useRef(phases);
  const [news, setNews] = React.useState('');
  React.useEffect(() => {
    const changed = [...phases].filter(([vm, phase]) => before.current.get(vm) !== phase);
    before.current = phases;
    if (changed.length > 0) {
      setNews(changed.map(([vm, phase]) => `${vm}: ${phaseWord(props.trans, phase)}`).join('. '));
    }
  });
  return (
    <p className="jp-VmPool-Hidden" role="status" data-announcer>
      {news}
    </p>
  );
}

function phasesOf({ pools, vms }: IAnnouncerProps): ReadonlyMap<string, Phase> {
  const fromPools = pools.flatMap(({ vm, why }) => (vm ? [{ ...vm, why }] : []));
  return new Map([...fromPools, ...vms].map(vm => [vm.name, phaseOf(vm, vm.why)]));
}
