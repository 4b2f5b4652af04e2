import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Target } from '../api/target';
import type { Notice, OwnVmView, PoolAction, PoolView, Problem } from '../api/types';
import type { Availability } from '../tokens';
import { Announcer } from './Announcer';
import { isStale, Notices, ProblemBanner, ReconnectingBanner, saysWhyCut } from './Banners';
import { useKeptFocus } from './focus';
import { EmptyNote, LoadingNote, UnsupportedNote } from './Notes';
import { OwnVmCard } from './OwnVmCard';
import { PoolCard } from './PoolCard';
import type { OnAction } from './VmActions';

export interface IPoolPanelProps {
  readonly availability: Availability;
  readonly connected: boolean;
  readonly pools: readonly PoolView[];
  readonly vms: readonly OwnVmView[];
  readonly notices: readonly Notice[];
  readonly problem: Problem | null;
  readonly pending: (target: Target) => PoolAction | undefined;
  readonly trans: TranslationBundle;
  readonly language: string;
  readonly onAction: OnAction;
}

/** All pools and VMs of the user, and above them whatever makes the picture doubtful. */
export function PoolPanel(props: IPoolPanelProps): JSX.Element {
  const { availability, connected, notices, problem, trans, language } = props;
  const isReady = availability === 'ready';
  const keptFocus = useKeptFocus<HTMLDivElement>('h2');
  return (
    <div
      {...keptFocus}
      className="jp-VmPool-Panel"
      data-availability={availability}
      data-connected={connected}
      data-stale={problem !== null && isStale(problem)}
      aria-busy={availability === 'loading'}
    >
      <h2 className="jp-VmPool-Title" tabIndex={-1}>
        {trans.__('Virtual machines')}
      </h2>
      <div role="status" className="jp-VmPool-Banners">
        {!connected && !saysWhyCut(problem) && (
          <ReconnectingBanner isKnown={isReady} trans={trans} />
        )}
        {problem && !isLoading(props) && (
          <ProblemBanner problem={problem} trans={trans} language={language} />
        )}
        {notices.length > 0 && <Notices notices={notices} trans={trans} />}
      </div>
      <Content {...props} />
      {isReady && <Announcer {...props} />}
    </div>
  );
}

/** The cards, or what there is in their place; nothing where the banners say it all. */
function Content(props: IPoolPanelProps): JSX.Element | null {
  const { availability, connected, pools, vms, problem, trans } = props;
  if (availability === 'unsupported') {
    return <UnsupportedNote trans={trans} />;
  }
  if (pools.length + vms.length > 0) {
    return <Sections {...props} />;
  }
  if (isLoading(props)) {
    return connected ? <LoadingNote trans={trans} /> : null;
  }
  return availability === 'ready' && !problem ? <EmptyNote trans={trans} /> : null;
}

/** Whether nothing is known yet, and nothing in the way of knowing. */
function isLoading({ availability, pools, vms, problem }: IPoolPanelProps): boolean {
  const isKnown = pools.length + vms.length > 0;
  return !isKnown && (problem ? problem.code === 'loading' : availability === 'loading');
}

/** Headings are seen where there are two kinds of cards to tell apart; heard they are always. */
function Sections({ pools, vms, pending, ...props }: IPoolPanelProps): JSX.Element {
  const { trans } = props;
  const isOne = pools.length === 0 || vms.length === 0;
  return (
    <>
      {pools.length > 0 && (
        <Section title={trans.__('Pools')} isTitleHidden={isOne}>
          {pools.map(pool => (
            <PoolCard
              key={pool.name}
              {...props}
              pool={pool}
              pending={pending({ pool: pool.name })}
            />
          ))}
        </Section>
      )}
      {vms.length > 0 && (
        <Section title={trans.__('Individual virtual machines')} isTitleHidden={isOne}>
          {vms.map(vm => (
            <OwnVmCard key={vm.name} {...props} vm={vm} pending={pending({ vm: vm.name })} />
          ))}
        </Section>
      )}
    </>
  );
}

function Section(props: {
  readonly title: string;
  readonly isTitleHidden: boolean;
  readonly children: React.ReactNode;
}): JSX.Element {
  const { title, isTitleHidden, children } = props;
  return (
    <section className="jp-VmPool-Section">
      <h3 className={isTitleHidden ? 'jp-VmPool-Hidden' : 'jp-VmPool-SectionTitle'}>{title}</h3>
      <ul className="jp-VmPool-Cards" aria-label={title}>
        {children}
      </ul>
    </section>
  );
}
