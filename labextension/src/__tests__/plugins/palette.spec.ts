import { describe, expect, it } from '@jest/globals';
import type { ICommandPalette, IPaletteItem } from '@jupyterlab/apputils';
import { DisposableDelegate } from '@lumino/disposable';
import { keepItems } from '../../plugins/palette';
import { anOwnVm, aPool } from '../builders';
import { FakePools } from '../fakes';

const NOTHING = { code: 'nothing-assigned' };
const WITHOUT_VM = aPool({
  why: { console: NOTHING, stop: NOTHING, reset: NOTHING, release: NOTHING }
});

function aPalette() {
  const items: IPaletteItem[] = [];
  const palette: Pick<ICommandPalette, 'addItem'> = {
    addItem: item => {
      items.push(item);
      return new DisposableDelegate(() => void items.splice(items.indexOf(item), 1));
    }
  };
  const shown = () => items.map(({ command, args }) => [command, args]);
  return { palette: palette as ICommandPalette, shown };
}

describe('The palette', () => {
  it('has what can be done now, and nothing else', () => {
    const pools = new FakePools();
    const { palette, shown } = aPalette();
    keepItems(palette, pools, 'Virtual machines');
    expect(shown()).toEqual([]);

    pools.show(WITHOUT_VM);
    expect(shown()).toEqual([['vmpool:start', { pool: 'demo' }]]);

    pools.show();
    expect(shown()).toEqual([]);
  });

  it('has the VMs that were granted by name too', () => {
    const pools = new FakePools();
    const { palette, shown } = aPalette();
    keepItems(palette, pools, 'Virtual machines');

    pools.showVms(anOwnVm({ why: { start: { code: 'already-running' } } }));

    expect(shown()).toEqual([
      ['vmpool:console', { vm: 'lab-1' }],
      ['vmpool:stop', { vm: 'lab-1' }],
      ['vmpool:reset', { vm: 'lab-1' }]
    ]);
  });

  it('has the file of a console while that can be opened, where there is one', () => {
    const pools = new FakePools();
    const { palette, shown } = aPalette();
    keepItems(palette, pools, 'Virtual machines');

    pools.showVms(anOwnVm({ connectionFile: true }));
    expect(shown()).toContainEqual(['vmpool:connection-file', { vm: 'lab-1' }]);

    pools.showVms(anOwnVm({ connectionFile: true, why: { console: NOTHING } }));
    expect(shown()).not.toContainEqual(['vmpool:connection-file', { vm: 'lab-1' }]);
  });
});
