import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Notice, Problem } from '../api/types';
import { errorIcon, reconnectIcon, waitIcon, warningIcon } from '../icons';
import { localTime, noticeWord, problemAdvice, problemWord } from '../wording';

/** The server is gone: what is shown is kept, and comes alive again by itself. */
export function ReconnectingBanner(props: {
  readonly isKnown: boolean;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { isKnown, trans } = props;
  return (
    <div className="jp-VmPool-Banner" data-note="reconnecting">
      <reconnectIcon.react tag="span" className="jp-VmPool-Icon" />
      <p>
        <strong>{trans.__('No connection to the server. Reconnecting.')}</strong>{' '}
        {isKnown && trans.__('What is shown was the state before.')}
      </p>
    </div>
  );
}

/** Whether what is shown may have changed meanwhile; what cannot be written down is seen all the same. */
export function isStale(problem: Problem): boolean {
  return problem.code !== 'chronicle-behind';
}

/** What keeps this user from being told anything, whatever there is to tell. */
const NOT_LET_IN = ['not-your-server', 'scope-missing', 'not-a-user', 'unauthenticated'];

/** What lies between here and whoever decides: reason enough for a socket that does not open. */
const ON_THE_WAY = [...NOT_LET_IN, 'service-unavailable', 'hub-unavailable', 'versions-differ'];

/** Whether a problem says why there is no connection. */
export function saysWhyCut(problem: Problem | null): boolean {
  return problem !== null && ON_THE_WAY.includes(problem.code);
}

/** What is wrong on the server, and what to do about that. */
export function ProblemBanner(props: {
  readonly problem: Problem;
  readonly trans: TranslationBundle;
  readonly language: string;
}): JSX.Element {
  const { problem, trans, language } = props;
  const isPassing = problem.code === 'loading';
  const icon = isPassing ? waitIcon : warningIcon;
  return (
    <div
      className={`jp-VmPool-Banner ${isPassing ? '' : 'jp-mod-warning'}`}
      data-code={problem.code}
    >
      <icon.react tag="span" className="jp-VmPool-Icon" />
      <div>
        <p>
          <strong>{problemWord(trans, problem.code)}</strong>
        </p>
        <p>{problem.message}</p>
        <p>{problemAdvice(trans, problem.code)}</p>
        {!NOT_LET_IN.includes(problem.code) && (
          <p className="jp-VmPool-Since">
            {isStale(problem)
              ? trans.__('Not up to date since %1.', localTime(problem.since, language))
              : trans.__('Like this since %1.', localTime(problem.since, language))}
          </p>
        )}
      </div>
    </div>
  );
}

/** What administrators are told about pools and VMs, and users about VMs that they have lost. */
export function Notices(props: {
  readonly notices: readonly Notice[];
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { notices, trans } = props;
  return (
    <ul className="jp-VmPool-Notices" aria-label={trans.__('Notices')}>
      {notices.map(({ pool, severity, message }) => {
        const icon = severity === 'error' ? errorIcon : warningIcon;
        const word = noticeWord(trans, severity);
        return (
          <li
            key={`${pool} ${severity} ${message}`}
            className={`jp-VmPool-Banner jp-mod-${severity === 'error' ? 'error' : 'warning'}`}
            data-notice={pool}
            data-severity={severity}
          >
            <icon.react tag="span" className="jp-VmPool-Icon" />
            <div>
              <p>
                <strong>{pool ? trans.__('%1: %2', pool, word) : word}</strong>
              </p>
              <p>{message}</p>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
