import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
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
  const opener = new Opener(commands, pools);
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
    describedBy: targetArguments(trans),
    execute: async args => opener.open(requiredTarget(args))
  });
}

/** Gets people to consoles, each of them once, however often they ask. */
class Opener {
  constructor(
    private readonly _commands: CommandRegistry,
    private readonly _pools: IVmPools
  ) {}

  async open(target: Target): Promise<void> {
    if (this._needsStart(target)) {
      // What the start comes to is seen there; a notebook page may have no place for it.
      await this._executeIfThere(CommandIDs.openPanel, {});
      await this._executeIfThere(CommandIDs.start, argumentsOf(target));
    }
    // Not to be waited for: a launcher takes no other tile until a command has ended.
    void this._openWhenReady(target);
  }

  /** Whether it is off, as far as is known; a start that is under way is not asked for again. */
  private _needsStart(target: Target): boolean {
    const state = this._pools.vm(target)?.state;
    return state !== 'running' && state !== 'starting';
  }

  private async _openWhenReady(target: Target): Promise<void> {
    const key = keyOf(target);
    if (this._waiting.has(key)) {
      return;
    }
    this._waiting.add(key);
    const isWithinReach = await consoleWithinReach(this._pools, target);
    this._waiting.delete(key);
    if (isWithinReach) {
      await this._executeIfThere(CommandIDs.console, argumentsOf(target));
    }
  }

  /** An administrator may have switched the plugin of the command off. */
  private async _executeIfThere(command: string, args: ReadonlyJSONObject): Promise<void> {
    if (this._commands.hasCommand(command)) {
      await this._commands.execute(command, args);
    }
  }

  private readonly _waiting = new Set<string>();
}
