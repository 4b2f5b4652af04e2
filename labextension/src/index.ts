import { commandsPlugin } from './plugins/commands';
import { consolePlugin } from './plugins/console';
import { launcherPlugin } from './plugins/launcher';
import { managerPlugin } from './plugins/manager';
import { palettePlugin } from './plugins/palette';
import { panelPlugin } from './plugins/panel';

export { IVmPools } from './tokens';

export default [
  managerPlugin,
  commandsPlugin,
  panelPlugin,
  consolePlugin,
  launcherPlugin,
  palettePlugin
];
