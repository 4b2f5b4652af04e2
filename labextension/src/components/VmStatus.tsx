import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { OwnVmView, VmView, Whys } from '../api/types';
import { phaseIcons } from '../icons';
import type { Phase } from '../model/phase';
import { phaseOf } from '../model/phase';
import { localTime, phaseAdvice, phaseWord } from '../wording';

export interface IVmStatusProps {
  readonly vm: VmView | OwnVmView;
  readonly why: Whys;
  /** Whether it is from a pool, and the user's for a time. */
  readonly isKept: boolean;
  readonly trans: TranslationBundle;
  readonly language: string;
}

/** What the VM is doing, what there is to do about it, since when, and until when it is kept. */
export function VmStatus(props: IVmStatusProps): JSX.Element {
  const { vm, why, trans } = props;
  const phase = phaseOf(vm, why);
  const advice = phaseAdvice(trans, vm, why);
  return (
    <div className="jp-VmPool-Status">
      <p className="jp-VmPool-State" data-phase={phase}>
        {React.createElement(phaseIcons[phase].react, { tag: 'span', className: 'jp-VmPool-Icon' })}
        <span className="jp-VmPool-Word">{phaseWord(trans, phase)}</span>
      </p>
      {vm.fault ? (
        <p className="jp-VmPool-Fault" data-code={vm.fault.code}>
          {vm.fault.message}
        </p>
      ) : (
        <Progress phase={phase} trans={trans} />
      )}
      {advice && <p className="jp-VmPool-Advice">{advice}</p>}
      <ul className="jp-VmPool-Details">
        {detailsOf(phase, props).map(detail => (
          <li key={detail}>{detail}</li>
        ))}
      </ul>
    </div>
  );
}

/** The way from switched on to ready, in three steps. */
const STEPS: readonly Phase[] = ['starting', 'booting', 'running'];

function Progress(props: { phase: Phase; trans: TranslationBundle }): JSX.Element | null {
  const { phase, trans } = props;
  const step = STEPS.indexOf(phase) + 1;
  if (step === 0 || step === STEPS.length) {
    return null;
  }
  return (
    <div
      className="jp-VmPool-Progress"
      role="progressbar"
      aria-label={trans.__('Progress of the start')}
      aria-valuemin={0}
      aria-valuemax={STEPS.length}
      aria-valuenow={step}
      aria-valuetext={trans.__('Step %1 of %2: %3', step, STEPS.length, phaseWord(trans, phase))}
    >
      {STEPS.map((name, index) => (
        <span
          key={name}
          className="jp-VmPool-Step"
          data-step={index + 1 < step ? 'done' : index + 1 === step ? 'now' : 'ahead'}
        />
      ))}
    </div>
  );
}

function detailsOf(phase: Phase, props: IVmStatusProps): string[] {
  const { vm, isKept, trans, language } = props;
  const details = [
    vm.os,
    vm.loggedInUser && trans.__('Logged in as %1', vm.loggedInUser),
    vm.since && sinceSentence(phase, localTime(vm.since, language), trans),
    isKept && keptSentence(vm, trans, language)
  ];
  return details.filter((detail): detail is string => !!detail);
}

function sinceSentence(phase: Phase, time: string, trans: TranslationBundle): string | null {
  switch (phase) {
    case 'off':
      return trans.__('Off since %1', time);
    case 'starting':
    case 'preparing':
    case 'stopping':
    case 'failed':
      return null;
    default:
      return trans.__('On since %1', time);
  }
}

function keptSentence(vm: VmView, trans: TranslationBundle, language: string): string {
  if (vm.retainedUntil) {
    const time = localTime(vm.retainedUntil, language);
    return trans.__('Kept for you until %1 if the console stays closed', time);
  }
  return vm.console === 'open'
    ? trans.__('Kept for you while the console is open')
    : trans.__('Kept for you');
}
