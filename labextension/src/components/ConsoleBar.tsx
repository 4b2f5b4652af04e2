import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { ConsoleStatus, Ending } from '../console/connection';
import { lockedKeyboardIcon, reconnectIcon } from '../icons';
import { refusalSentence } from '../wording';

export interface IConsoleBarProps {
  readonly status: ConsoleStatus;
  /** The name of the VM that the console is of. */
  readonly vm: string;
  readonly trans: TranslationBundle;
  readonly onCtrlAltDel: () => void;
  readonly onReconnect: () => void;
}

/** Above a console: what the connection does, and the two things to do about it. */
export function ConsoleBar(props: IConsoleBarProps): JSX.Element {
  const { status, vm, trans } = props;
  const isConnected = status.state === 'connected';
  return (
    <div className="jp-VmPool-ConsoleBar" title={leaveHint(trans)}>
      <p className="jp-VmPool-ConsoleState" data-connection={status.state} role="status">
        {consoleSentence(status, trans)}
      </p>
      {isConnected && <span className="jp-VmPool-Leave">{leaveHint(trans)}</span>}
      <button
        type="button"
        className="jp-VmPool-Button"
        data-action="ctrl-alt-del"
        aria-label={trans.__('Ctrl-Alt-Del to %1', vm)}
        title={trans.__('Send Ctrl-Alt-Del to the virtual machine')}
        aria-description={isConnected ? undefined : trans.__('The console is not connected.')}
        aria-disabled={!isConnected}
        onClick={() => isConnected && props.onCtrlAltDel()}
      >
        <lockedKeyboardIcon.react tag="span" className="jp-VmPool-Icon" />
        <span>{trans.__('Ctrl-Alt-Del')}</span>
      </button>
      <button
        type="button"
        className="jp-VmPool-Button"
        data-action="reconnect"
        aria-label={trans.__('Reconnect %1', vm)}
        title={trans.__('Close the connection and open a new one')}
        onClick={props.onReconnect}
      >
        <reconnectIcon.react tag="span" className="jp-VmPool-Icon" />
        <span>{trans.__('Reconnect')}</span>
      </button>
    </div>
  );
}

/** The way out of the console for keyboards. */
export function leaveHint(trans: TranslationBundle): string {
  return trans.__('Leave the console with Ctrl+Shift+Escape or Ctrl+F6');
}

/** The state of a console, as a sentence. */
export function consoleSentence(status: ConsoleStatus, trans: TranslationBundle): string {
  switch (status.state) {
    case 'connecting':
      return trans.__('Connecting…');
    case 'connected':
      return trans.__('Connected');
    case 'reconnecting':
      return trans.__('Connection lost. Reconnecting in %1 s', status.seconds);
    case 'closed':
      return endingSentence(status.ending, trans);
  }
}

function endingSentence(ending: Ending, trans: TranslationBundle): string {
  return ending.kind === 'taken'
    ? trans.__('Closed: this virtual machine is no longer yours.')
    : trans.__('Closed: %1', refusalSentence(trans, ending.refusal));
}
