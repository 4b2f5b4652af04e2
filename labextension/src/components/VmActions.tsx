import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PoolAction, PoolView } from '../api/types';
import { actionIcons } from '../icons';
import { actionHint, actionName, actionWord, whySentence } from '../wording';

/** In the order in which they are shown. */
export const ACTIONS: readonly PoolAction[] = ['start', 'console', 'stop', 'reset', 'release'];

export interface IVmActionsProps {
  readonly pool: PoolView;
  /** The action that the server has not answered yet. */
  readonly pending: PoolAction | undefined;
  /** Whether anybody is listening: without the server nothing can be done. */
  readonly connected: boolean;
  readonly trans: TranslationBundle;
  readonly onAction: (action: PoolAction, pool: string) => void;
}

/** The row of icon buttons below a VM. */
export function VmActions(props: IVmActionsProps): JSX.Element {
  const { pool, trans } = props;
  return (
    <div
      className="jp-VmPool-Actions"
      role="group"
      aria-label={trans.__('Actions for %1', pool.vm?.name ?? pool.name)}
    >
      {ACTIONS.map(action => (
        <ActionButton key={action} action={action} {...props} />
      ))}
    </div>
  );
}

/** The one button of a pool from which there is no VM yet; a refusal is written out below. */
export function StartButton(props: IVmActionsProps): JSX.Element {
  const hint = hindrance('start', props);
  return (
    <div className="jp-VmPool-First">
      <ActionButton action="start" prominent {...props} />
      {hint && <p className="jp-VmPool-Hint">{hint}</p>}
    </div>
  );
}

function ActionButton(
  props: IVmActionsProps & { action: PoolAction; prominent?: boolean }
): JSX.Element {
  const { action, pool, trans, pending, prominent } = props;
  const hint = hindrance(action, props);
  const title = hint ? `${actionWord(trans, action)}: ${hint}` : actionHint(trans, action);
  return (
    <button
      type="button"
      className={prominent ? 'jp-VmPool-Button jp-mod-prominent' : 'jp-VmPool-Button'}
      data-action={action}
      data-hint={title}
      title={title}
      aria-label={actionName(trans, action, pool.name)}
      aria-description={hint ?? undefined}
      // Not `disabled`: that would take the focus, and with it the reason, away from keyboards.
      aria-disabled={hint !== null}
      aria-busy={pending === action}
      onClick={() => hint === null && props.onAction(action, pool.name)}
    >
      {React.createElement(actionIcons[action].react, { tag: 'span', className: 'jp-VmPool-Icon' })}
      {prominent && <span>{actionWord(trans, action)}</span>}
    </button>
  );
}

/** Why the button does nothing now; null if it does. The server's reason is the only rule. */
function hindrance(action: PoolAction, props: IVmActionsProps): string | null {
  const { pool, pending, connected, trans } = props;
  const reason = pool.why[action];
  if (reason) {
    return whySentence(trans, reason);
  }
  if (!connected) {
    return trans.__('The Jupyter server cannot be reached.');
  }
  return pending ? trans.__('Wait for the answer of the server.') : null;
}
