import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PoolAction, PoolView, Problem } from '../api/types';
import { poolIcon, reconnectIcon, warningIcon } from '../icons';
import type { Availability } from '../tokens';
import { localTime } from '../wording';
import { PoolCard } from './PoolCard';

export interface IPoolPanelProps {
  readonly availability: Availability;
  readonly connected: boolean;
  readonly pools: readonly PoolView[];
  readonly problem: Problem | null;
  readonly pending: (pool: string) => PoolAction | undefined;
  readonly trans: TranslationBundle;
  readonly language: string;
  readonly onAction: (action: PoolAction, pool: string) => void;
}

/** All pools of the user, and above them whatever makes the picture doubtful. */
export function PoolPanel(props: IPoolPanelProps): JSX.Element {
  const { availability, connected, trans } = props;
  const isReady = availability === 'ready';
  return (
    <div
      className="jp-VmPool-Panel"
      data-availability={availability}
      data-connected={connected}
      aria-busy={availability === 'loading'}
    >
      <h2 className="jp-VmPool-Title">{trans.__('Virtual machines')}</h2>
      <div role="status" className="jp-VmPool-Banners">
        {!connected && <ReconnectingBanner isKnown={isReady} trans={trans} />}
        <ProblemBanner {...props} />
      </div>
      {availability === 'unsupported' && <UnsupportedNote trans={trans} />}
      {availability === 'loading' && connected && (
        <p className="jp-VmPool-Note">{trans.__('Loading…')}</p>
      )}
      {isReady && (props.pools.length ? <Cards {...props} /> : <EmptyNote trans={trans} />)}
    </div>
  );
}

function Cards({ pools, pending, ...props }: IPoolPanelProps): JSX.Element {
  return (
    <ul className="jp-VmPool-Cards" aria-label={props.trans.__('Pools')}>
      {pools.map(pool => (
        <PoolCard key={pool.name} pool={pool} pending={pending(pool.name)} {...props} />
      ))}
    </ul>
  );
}

function ReconnectingBanner(props: { isKnown: boolean; trans: TranslationBundle }): JSX.Element {
  const { isKnown, trans } = props;
  return (
    <p className="jp-VmPool-Banner">
      <reconnectIcon.react tag="span" className="jp-VmPool-Icon" />
      <span>
        {trans.__('No connection to the server. Reconnecting.')}{' '}
        {isKnown && trans.__('What is shown was the state before.')}
      </span>
    </p>
  );
}

function ProblemBanner({ problem, trans, language }: IPoolPanelProps): JSX.Element | null {
  if (!problem) {
    return null;
  }
  return (
    <p className="jp-VmPool-Banner jp-mod-problem" data-code={problem.code}>
      <warningIcon.react tag="span" className="jp-VmPool-Icon" />
      <span>
        {problem.message}{' '}
        <span className="jp-VmPool-Since">
          {trans.__('Not up to date since %1.', localTime(problem.since, language))}
        </span>
      </span>
    </p>
  );
}

function EmptyNote({ trans }: { trans: TranslationBundle }): JSX.Element {
  return (
    <div className="jp-VmPool-Note" data-note="empty">
      <poolIcon.react tag="span" className="jp-VmPool-NoteIcon" />
      <p>{trans.__('There is no pool that you may use.')}</p>
      <p>
        {trans.__('Define one, or ask your administrator for access. It shows up here by itself.')}
      </p>
    </div>
  );
}

function UnsupportedNote({ trans }: { trans: TranslationBundle }): JSX.Element {
  return (
    <div className="jp-VmPool-Note" data-note="unsupported">
      <poolIcon.react tag="span" className="jp-VmPool-NoteIcon" />
      <p>{trans.__('This Jupyter server does not offer virtual machines.')}</p>
      <p>
        {trans.__(
          'Its server extension vmpool_ext is missing or disabled. When it has been enabled, reload this page.'
        )}
      </p>
    </div>
  );
}
