import { commandsPlugin } from './plugins/commands';
import { consolePlugin } from './plugins/console';
import { managerPlugin } from './plugins/manager';
import { panelPlugin } from './plugins/panel';

export { IVmPools } from './tokens';

export default [managerPlugin, commandsPlugin, panelPlugin, consolePlugin];
