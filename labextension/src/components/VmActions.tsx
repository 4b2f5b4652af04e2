import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Target } from '../api/target';
import { actionsOf, nameOf } from '../api/target';
import type { PoolAction, VmView, Whys } from '../api/types';
import { actionIcons, downloadIcon, waitIcon, warningIcon } from '../icons';
import { actionHint, actionName, actionWord, whySentence } from '../wording';

export type OnAction = (action: PoolAction, target: Target) => void;

export interface IVmActionsProps {
  readonly target: Target;
  readonly vm: VmView | null;
  readonly why: Whys;
  /** The action that the server has not answered yet. */
  readonly pending: PoolAction | undefined;
  /** Whether anybody is listening: without the server nothing can be done. */
  readonly connected: boolean;
  readonly trans: TranslationBundle;
  readonly onAction: OnAction;
}

/** The row of icon buttons below a VM. */
export function VmActions(props: IVmActionsProps): JSX.Element {
  const { target, vm, trans } = props;
  const [isHintShown, setHintShown] = React.useState(true);
  return (
    <div
      className="jp-VmPool-Actions"
      role="group"
      data-hints={isHintShown ? 'shown' : 'dismissed'}
      // The hint of the focused button may cover what stands below.
      onKeyDown={event => event.key === 'Escape' && setHintShown(false)}
      onBlur={() => setHintShown(true)}
      aria-label={trans.__('Actions for %1', vm?.name ?? nameOf(target))}
    >
      {actionsOf(target).map(action => (
        <ActionButton key={action} action={action} {...props} />
      ))}
    </div>
  );
}

/** Refusals that are over by themselves. */
const PASSING = ['pool-exhausted'];

/** The one button of a pool from which there is no VM yet; a refusal is written out below. */
export function StartButton(props: IVmActionsProps): JSX.Element {
  const hint = hindrance('start', props);
  const { code } = props.why.start ?? {};
  const icon = code && !PASSING.includes(code) ? warningIcon : waitIcon;
  return (
    <div className="jp-VmPool-First">
      <ActionButton action="start" prominent {...props} />
      {hint && (
        <p className="jp-VmPool-Hint" data-code={code}>
          <icon.react tag="span" className="jp-VmPool-Icon" />
          <span>{hint}</span>
        </p>
      )}
    </div>
  );
}

function ActionButton(
  props: IVmActionsProps & { action: PoolAction; prominent?: boolean }
): JSX.Element {
  const { action, target, vm, trans, pending, prominent } = props;
  const hint = hindrance(action, props);
  const title = hint
    ? `${actionWord(trans, action)}: ${hint}`
    : actionHint(trans, action, vm?.display);
  return (
    <button
      type="button"
      className={prominent ? 'jp-VmPool-Button jp-mod-prominent' : 'jp-VmPool-Button'}
      data-action={action}
      data-hint={title}
      title={title}
      aria-label={actionName(trans, action, nameOf(target))}
      aria-description={hint ?? undefined}
      // Not `disabled`: that would take the focus, and with it the reason, away from keyboards.
      aria-disabled={hint !== null}
      aria-busy={pending === action}
      onClick={() => hint === null && props.onAction(action, target)}
    >
      <ActionIcon action={action} vm={vm} />
      {prominent && <span>{actionWord(trans, action)}</span>}
    </button>
  );
}

function ActionIcon({ action, vm }: { action: PoolAction; vm: VmView | null }): JSX.Element {
  const isDownload = action === 'console' && vm?.display === 'spice';
  const icon = isDownload ? downloadIcon : actionIcons[action];
  return <icon.react tag="span" className="jp-VmPool-Icon" />;
}

/** Why the button does nothing now; null if it does. The server's reason is the only rule. */
function hindrance(action: PoolAction, props: IVmActionsProps): string | null {
  const { why, pending, connected, trans } = props;
  const reason = why[action];
  if (reason) {
    return whySentence(trans, reason);
  }
  if (!connected) {
    return trans.__('The Jupyter server cannot be reached.');
  }
  return pending ? trans.__('Wait for the answer of the server.') : null;
}
