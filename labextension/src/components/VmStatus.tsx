import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { VmView } from '../api/types';
import { phaseIcons, warningIcon } from '../icons';
import type { Phase } from '../wording';
import { localTime, phaseOf, phaseWord } from '../wording';

export interface IVmStatusProps {
  readonly vm: VmView;
  readonly trans: TranslationBundle;
  readonly language: string;
}

/** What the VM is doing, since when, and until when it is kept. */
export function VmStatus({ vm, trans, language }: IVmStatusProps): JSX.Element {
  const phase = phaseOf(vm);
  return (
    <div className="jp-VmPool-Status">
      <p className="jp-VmPool-State" data-phase={phase} role="status" aria-atomic="true">
        {React.createElement(phaseIcons[phase].react, { tag: 'span', className: 'jp-VmPool-Icon' })}
        <span className="jp-VmPool-Hidden">{`${vm.name}: `}</span>
        <span className="jp-VmPool-Word">{phaseWord(trans, phase)}</span>
      </p>
      {vm.fault ? (
        <p className="jp-VmPool-Fault" role="status">
          {phase !== 'failed' && <warningIcon.react tag="span" className="jp-VmPool-Icon" />}
          <span>{vm.fault.message}</span>
        </p>
      ) : (
        <Progress phase={phase} trans={trans} />
      )}
      <ul className="jp-VmPool-Details">
        {detailsOf(vm, trans, language).map(detail => (
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

function detailsOf(vm: VmView, trans: TranslationBundle, language: string): string[] {
  const details = [
    vm.os,
    vm.loggedInUser && trans.__('Logged in as %1', vm.loggedInUser),
    vm.since && sinceSentence(vm, localTime(vm.since, language), trans),
    keptSentence(vm, trans, language)
  ];
  return details.filter((detail): detail is string => !!detail);
}

function sinceSentence(vm: VmView, time: string, trans: TranslationBundle): string | null {
  switch (phaseOf(vm)) {
    case 'running':
    case 'booting':
      return trans.__('On since %1', time);
    case 'off':
      return trans.__('Off since %1', time);
    default:
      return null;
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
