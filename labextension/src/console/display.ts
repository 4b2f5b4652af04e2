import type { ServerConnection } from '@jupyterlab/services';
import { ApiError } from '../api/error';
import type { ConsoleAccess, DisplayEngine } from '../api/types';
import { loadRfb, rfbDisplaysIn } from './rfb';
import { loadSpice, spiceDisplaysIn } from './spice';

/** An open display. */
export interface IDisplay {
  focus(): void;
  sendCtrlAltDel(): void;
  dispose(): void;
}

export interface IDisplayEvents {
  onConnected(): void;
  /** The connection is over, with the code that the server closed it with; never after `dispose`. */
  onClosed(code: number): void;
}

/** Opens the display at once, since a ticket is good for seconds only. */
export type OpenDisplay = (access: ConsoleAccess, events: IDisplayEvents) => IDisplay;

/** How displays of one engine are opened inside of a node. */
type DisplaysIn = (node: HTMLElement, settings: ServerConnection.ISettings) => Promise<OpenDisplay>;

/** Each is a chunk of its own, that only those load who open such a console. */
const ENGINES: Readonly<Record<DisplayEngine, DisplaysIn>> = {
  vnc: async (node, settings) => rfbDisplaysIn(node, settings, await loadRfb()),
  spice: async (node, settings) => spiceDisplaysIn(node, settings, await loadSpice())
};

/** Loads what shows displays of this engine; a server from before they were told has VNC. */
export async function displaysIn(
  node: HTMLElement,
  settings: ServerConnection.ISettings,
  engine: DisplayEngine = 'vnc'
): Promise<OpenDisplay> {
  const open = await ENGINES[engine](node, settings);
  return (access, events) => {
    if (access.engine !== engine) {
      // Its definition was changed meanwhile: the picture will tell.
      throw new ApiError('display-changed', 'The virtual machine has another display now.', 0);
    }
    return open(access, events);
  };
}
