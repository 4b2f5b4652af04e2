import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Target } from '../api/target';
import { nameOf, serverActionOf, userActionsOf } from '../api/target';
import type { PoolAction, UserAction, VmView, Whys } from '../api/types';
import { actionIcons, waitIcon, warningIcon } from '../icons';
import { actionHint, actionName, actionWord, whySentence } from '../wording';

export type OnAction = (action: UserAction, target: Target) => void;

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

/** The row of icon buttons below a VM; apart from the others, at its end, what most people need not look for. */
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
      {userActionsOf(target, vm).map(action => (
        <ActionButton key={action} action={action} look={LOOKS[action]} {...props} />
      ))}
    </div>
  );
}

type Look = 'prominent' | 'quiet';

const LOOKS: Readonly<Partial<Record<UserAction, Look>>> = { file: 'quiet' };

/** Refusals that are over by themselves. */
const PASSING = ['pool-exhausted'];

/** The one button of a pool from which there is no VM yet; a refusal is written out below. */
export function StartButton(props: IVmActionsProps): JSX.Element {
  const hint = hindrance('start', props);
  const { code } = props.why.start ?? {};
  const icon = code && !PASSING.includes(code) ? warningIcon : waitIcon;
  return (
    <div className="jp-VmPool-First">
      <ActionButton action="start" look="prominent" {...props} />
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
  props: IVmActionsProps & { action: UserAction; look: Look | undefined }
): JSX.Element {
  const { action, target, trans, pending, look } = props;
  const hint = hindrance(action, props);
  const title = hint ? `${actionWord(trans, action)}: ${hint}` : actionHint(trans, action);
  const { react: Icon } = actionIcons[action];
  return (
    <button
      type="button"
      className={look ? `jp-VmPool-Button jp-mod-${look}` : 'jp-VmPool-Button'}
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
      <Icon tag="span" className="jp-VmPool-Icon" />
      {look === 'prominent' && <span>{actionWord(trans, action)}</span>}
    </button>
  );
}

/** Why the button does nothing now; null if it does. The server's reason is the only rule. */
function hindrance(action: UserAction, props: IVmActionsProps): string | null {
  const { why, pending, connected, trans } = props;
  const reason = why[serverActionOf(action)];
  if (reason) {
    return whySentence(trans, reason);
  }
  if (!connected) {
    return trans.__('The Jupyter server cannot be reached.');
  }
  return pending ? trans.__('Wait for the answer of the server.') : null;
}
