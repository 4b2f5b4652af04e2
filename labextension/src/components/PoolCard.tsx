import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PoolAction, PoolView } from '../api/types';
import { poolIcon } from '../icons';
import { StartButton, VmActions } from './VmActions';
import { VmStatus } from './VmStatus';

export interface IPoolCardProps {
  readonly pool: PoolView;
  readonly pending: PoolAction | undefined;
  readonly connected: boolean;
  readonly trans: TranslationBundle;
  readonly language: string;
  readonly onAction: (action: PoolAction, pool: string) => void;
}

/** A pool, and the user's VM from it. */
export function PoolCard(props: IPoolCardProps): JSX.Element {
  const { pool, trans, language } = props;
  const titleId = React.useId();
  const keptFocus = useKeptFocus(pool.vm !== null);
  return (
    <li
      {...keptFocus}
      className="jp-VmPool-Card"
      data-pool={pool.name}
      data-state={pool.vm?.state ?? 'none'}
      aria-labelledby={titleId}
    >
      <header className="jp-VmPool-CardHeader">
        <poolIcon.react tag="span" className="jp-VmPool-Icon" />
        <h3 className="jp-VmPool-PoolName" id={titleId} title={pool.name}>
          {pool.name}
        </h3>
        <span className="jp-VmPool-Free">{trans.__('%1 of %2 free', pool.free, pool.total)}</span>
      </header>
      {pool.vm ? (
        <>
          <h4 className="jp-VmPool-VmName" title={pool.vm.name}>
            {pool.vm.name}
          </h4>
          <VmStatus vm={pool.vm} trans={trans} language={language} />
          <VmActions {...props} />
        </>
      ) : (
        <StartButton {...props} />
      )}
    </li>
  );
}

interface IKeptFocus {
  readonly ref: React.RefObject<HTMLLIElement>;
  readonly onFocus: () => void;
  readonly onBlur: () => void;
}

/** Keeps the focus in the card when the button that had it goes, since the layout is another. */
function useKeptFocus(layout: unknown): IKeptFocus {
  const ref = React.useRef<HTMLLIElement>(null);
  const hadFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    if (hadFocus.current && !ref.current?.contains(document.activeElement)) {
      ref.current?.querySelector('button')?.focus();
    }
  }, [layout]);
  return {
    ref,
    onFocus: () => void (hadFocus.current = true),
    onBlur: () => void (hadFocus.current = false)
  };
}
