import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { Target } from '../api/target';
import { keyOf, nameOf } from '../api/target';
import { poolIcon } from '../icons';
import { consoleWithinReach } from '../model/reach';
import { IVmPools } from '../tokens';
import { actionHint } from '../wording';
import { argumentsOf, CommandIDs, requiredTarget, targetArguments, targetOf } from './ids';
import { LiveItems } from './live';

/** After JupyterLab's notebooks and consoles, before "Other". */
const CATEGORY_RANK = 50;

export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:launcher',
  description: 'A tile for each pool, from which one gets to the console of a VM at once.',
  autoStart: true,
  requires: [IVmPools],
  optional: [ITranslator, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    pools: IVmPools,
    translator: ITranslator | null,
    launcher: ILauncher | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('vmpool_ext');
    addOpenCommand(app.commands, pools, trans);
    if (launcher) {
      keepTiles(launcher, pools, trans);
    }
  }
};

/** One tile per pool, as the picture is. */
export function keepTiles(launcher: ILauncher, pools: IVmPools, trans: TranslationBundle): void {
  const tiles = new LiveItems<string>(pool =>
    launcher.add({
      command: CommandIDs.open,
      args: { pool },
      category: trans.__('VM Pools'),
      categoryRank: CATEGORY_RANK
    })
  );
  const show = (): void => tiles.show(new Map(pools.pools.map(({ name }) => [name, name])));
  pools.changed.connect(show);
  show();
}

/** The command that does all it takes: start, wait, open the console. */
export function addOpenCommand(
  commands: CommandRegistry,
  pools: IVmPools,
  trans: TranslationBundle
): void {
  const waiting = new Set<string>();
  commands.addCommand(CommandIDs.open, {
    label: args => {
      const target = targetOf(args);
      return target ? nameOf(target) : trans.__('Open a virtual machine');
    },
    caption: args => {
      const target = targetOf(args);
      return target
        ? trans.__('Start a virtual machine of %1 and open its console', nameOf(target))
        : actionHint(trans, 'start');
    },
    icon: poolIcon,
    describedBy: targetArguments(
      trans.__('The name of the pool'),
      trans.__('The name of the VM, where it was granted by its name')
    ),
    execute: async args => {
      const target = requiredTarget(args);
      if (needsStart(pools, target)) {
        await showPanel(commands);
        await commands.execute(CommandIDs.start, argumentsOf(target));
      }
      // Not to be waited for: a launcher takes no other tile until a command has ended.
      void openWhenReady(target);
    }
  });

  async function openWhenReady(target: Target): Promise<void> {
    const key = keyOf(target);
    if (waiting.has(key)) {
      return;
    }
    waiting.add(key);
    const isWithinReach = await consoleWithinReach(pools, target);
    waiting.delete(key);
    if (isWithinReach && commands.hasCommand(CommandIDs.console)) {
      await commands.execute(CommandIDs.console, argumentsOf(target));
    }
  }
}

/** Whether it is off, as far as is known; a start that is under way is not asked for again. */
function needsStart(pools: IVmPools, target: Target): boolean {
  const state = pools.vm(target)?.state;
  return state !== 'running' && state !== 'starting';
}

/** What the start comes to is seen there; a notebook page may have no place for it. */
async function showPanel(commands: CommandRegistry): Promise<void> {
  if (commands.hasCommand(CommandIDs.openPanel)) {
    await commands.execute(CommandIDs.openPanel);
  }
}
