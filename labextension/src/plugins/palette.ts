import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Target } from '../api/target';
import { keyOf, userActionsOf } from '../api/target';
import type { UserAction } from '../api/types';
import { IVmPools } from '../tokens';
import { isToBeHad } from './commands';
import { argumentsOf, CommandIDs } from './ids';
import { LiveItems } from './live';

export const palettePlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:palette',
  description: 'The actions that can be done now, in the command palette.',
  autoStart: true,
  requires: [IVmPools],
  optional: [ITranslator, ICommandPalette],
  activate: (
    _: JupyterFrontEnd,
    pools: IVmPools,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    if (palette) {
      const trans = (translator ?? nullTranslator).load('vmpool_ext');
      keepItems(palette, pools, trans.__('Virtual machines'));
    }
  }
};

interface IItem {
  readonly action: UserAction;
  readonly target: Target;
}

/** One item for each action that the server would do now. */
export function keepItems(palette: ICommandPalette, pools: IVmPools, category: string): void {
  const items = new LiveItems<IItem>(({ action, target }) =>
    palette.addItem({ command: CommandIDs[action], args: argumentsOf(target), category })
  );
  const show = (): void => items.show(itemsFor(pools));
  pools.changed.connect(show);
  show();
}

function itemsFor(pools: IVmPools): ReadonlyMap<string, IItem> {
  const targets: readonly Target[] = [
    ...pools.pools.map(({ name }) => ({ pool: name })),
    ...pools.vms.map(({ name }) => ({ vm: name }))
  ];
  const items = targets.flatMap(target =>
    userActionsOf(target, pools.vm(target))
      .filter(action => isToBeHad(action, target, pools))
      .map(action => ({ action, target }))
  );
  return new Map(items.map(item => [`${item.action} ${keyOf(item.target)}`, item]));
}
