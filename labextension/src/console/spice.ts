import { DOMUtils } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import { displayAddress } from '../api/address';
import type { IDisplay, IDisplayEvents, OpenDisplay } from './display';
import { Fit } from './fit';
import type { ISpiceClient, SpiceLibrary } from './spiceClient';
import { spiceClientOf } from './spiceClient';
import { SpiceKeyboard } from './spiceKeyboard';
import { hookMouse } from './spiceMouse';

/** The library is a chunk of its own, for itself. */
export async function loadSpice(): Promise<SpiceLibrary> {
  const modules = await Promise.all([
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/main.js'),
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/display.js'),
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/inputs.js'),
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/cursor.js'),
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/spicemsg.js'),
    import(/* webpackChunkName: "spice-html5" */ '@spice-project/spice-html5/src/enums.js')
  ]);
  const [main, display, inputs, cursor, messages, enums] = modules;
  return { ...main, ...display, ...inputs, ...cursor, ...messages, ...enums };
}

/** How spice-html5 opens displays inside of a node. */
export function spiceDisplaysIn(
  node: HTMLElement,
  settings: ServerConnection.ISettings,
  library: SpiceLibrary
): OpenDisplay {
  return (access, events) => {
    const address = displayAddress(settings, access);
    return new SpiceDisplay(node, address, library, access.password, events);
  };
}

/** What a socket ends with when nobody has said why. */
const WITHOUT_A_REASON = 1006;

class SpiceDisplay implements IDisplay {
  constructor(
    node: HTMLElement,
    uri: string,
    private readonly _library: SpiceLibrary,
    password: string,
    private readonly _events: IDisplayEvents
  ) {
    this._node.className = 'jp-VmPool-Spice';
    // spice-html5 finds it by its id.
    this._node.id = DOMUtils.createDomID();
    this._node.tabIndex = -1;
    node.append(this._node);
    this._fit = new Fit(node, this._node);
    const Client = spiceClientOf(_library);
    this._client = new Client(
      { uri, password, screen_id: this._node.id },
      {
        onScreen: canvas => this._onScreen(canvas),
        onInputs: () => this._onInputs(),
        onClosed: code => this._onClosed(code),
        onBroken: () => this._onClosed(WITHOUT_A_REASON)
      }
    );
    this._keyboard = new SpiceKeyboard(this._node, (scancode, isDown) =>
      this._client.sendKey(scancode, isDown)
    );
  }

  focus(): void {
    (this._node.querySelector('canvas') ?? this._node).focus({ preventScroll: true });
  }

  sendCtrlAltDel(): void {
    this._keyboard.type('ControlLeft', 'AltLeft', 'Delete');
  }

  dispose(): void {
    if (!this._isOver) {
      this._isOver = true;
      this._close();
    }
  }

  /** At every change of the guest's resolution there is another canvas; keys stay with it. */
  private _onScreen(canvas: HTMLCanvasElement): void {
    hookMouse(canvas, this._library);
    this._fit.fit();
    if (document.activeElement === this._node) {
      this.focus();
    }
    this._hasScreen = true;
    this._connectOnce();
  }

  private _onInputs(): void {
    this._hasInputs = true;
    this._connectOnce();
  }

  private _connectOnce(): void {
    if (this._hasScreen && this._hasInputs && !this._isConnected && !this._isOver) {
      this._isConnected = true;
      this._events.onConnected();
    }
  }

  /** A console without one of its channels is none. */
  private _onClosed(code: number): void {
    if (!this._isOver) {
      this._isOver = true;
      // While there is something that may have the focus still.
      this._events.onClosed(code);
      this._close();
    }
  }

  private _close(): void {
    this._keyboard.dispose();
    this._fit.dispose();
    this._client.stop();
    this._node.remove();
  }

  private readonly _node = document.createElement('div');
  private readonly _client: ISpiceClient;
  private readonly _keyboard: SpiceKeyboard;
  private readonly _fit: Fit;
  private _hasScreen = false;
  private _hasInputs = false;
  private _isConnected = false;
  private _isOver = false;
}
