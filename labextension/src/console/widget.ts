import { DOMUtils } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';
import type { Target } from '../api/target';
import { nameOf } from '../api/target';
import { consoleSentence, leaveHint } from '../components/ConsoleBar';
import { machineIcon } from '../icons';
import type { IVmPools } from '../tokens';
import type { ConsoleConnection } from './connection';
import { onLeaveKeys } from './keyboard';

/** The screen of a VM: the node that the display draws into, and the rules for when to reconnect. */
export class ConsoleWidget extends Widget {
  constructor(private readonly _options: ConsoleWidget.IOptions) {
    super();
    const { connection, pools } = _options;
    this.addClass('jp-VmPool-Console');
    // Every key is the guest's, none is the lab's.
    this.node.dataset.lmSuppressShortcuts = 'true';
    this.title.icon = machineIcon;
    this._screen.className = 'jp-VmPool-Screen';
    this._curtain.className = 'jp-VmPool-Curtain';
    this._hint.className = 'jp-VmPool-Hidden';
    this._hint.id = DOMUtils.createDomID();
    this._hint.textContent = leaveHint(_options.trans);
    this.node.append(this._screen, this._curtain, this._hint);
    connection.statusChanged.connect(this._show, this);
    pools.changed.connect(this._onPoolsChanged, this);
    this._canvases.observe(this._screen, { childList: true, subtree: true });
    this._leaveKeys = onLeaveKeys(this.node, () => _options.onLeave());
    this._wasAvailable = this._isAvailable;
    this._wasOnline = pools.connected;
    this._show();
  }

  get connection(): ConsoleConnection {
    return this._options.connection;
  }

  get target(): Target {
    return this._options.target;
  }

  /** The name of the VM, as far as it is known. */
  get vm(): string {
    const { pools } = this._options;
    return this.connection.vm ?? pools.vm(this.target)?.name ?? nameOf(this.target);
  }

  /** What the display draws into. */
  get screen(): HTMLElement {
    return this._screen;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._leaveKeys.dispose();
    this._canvases.disconnect();
    this.connection.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this.connection.display?.focus();
  }

  private get _isAvailable(): boolean {
    const { pools } = this._options;
    // Who may take it over does so from the panel, after a question, and not by a tab that comes back.
    return pools.allows(this.target, 'console') && pools.vm(this.target)?.console !== 'inUse';
  }

  private _onPoolsChanged(): void {
    const { pools } = this._options;
    const news = !this._wasAvailable && this._isAvailable;
    const online = !this._wasOnline && pools.connected;
    this._wasAvailable = this._isAvailable;
    this._wasOnline = pools.connected;
    this._reconnectOn(news, online);
    this._show();
  }

  /** A closed console comes back with the VM, one that waits already when the server is back. */
  private _reconnectOn(news: boolean, online: boolean): void {
    const { state } = this.connection.status;
    if ((state === 'closed' && news) || (state === 'reconnecting' && (news || online))) {
      this.connection.reconnect();
    }
  }

  private _show(): void {
    const { status } = this.connection;
    const { trans } = this._options;
    this.title.label = this.vm;
    this.title.caption = captionOf(this.vm, this.target, trans);
    this.node.setAttribute('aria-label', this.title.caption);
    this.node.dataset.vm = this.vm;
    this.node.dataset.consoleState = status.state;
    this._curtain.textContent = consoleSentence(status, trans);
    this._describeDisplay();
    this._passFocus(status.state === 'connected');
  }

  /** What the display draws on, now and later, has no name of its own, and Tab would pass it by. */
  private _describeDisplay(): void {
    const canvas = this._screen.querySelector('canvas');
    if (canvas) {
      canvas.tabIndex = 0;
      // Screen readers, too, leave all keys to the guest.
      canvas.setAttribute('role', 'application');
      canvas.setAttribute('aria-label', this._options.trans.__('Screen of %1', this.vm));
      canvas.setAttribute('aria-describedby', this._hint.id);
    }
  }

  /** Once connected, keys go to the guest, if the person has not gone elsewhere meanwhile; and stay here at a loss. */
  private _passFocus(isConnected: boolean): void {
    const isNews = isConnected !== this._wasConnected;
    this._wasConnected = isConnected;
    if (isNews && isConnected && document.activeElement === this.node) {
      this.connection.display?.focus();
    }
    // Before the display takes its canvas away, and the focus with it.
    if (isNews && !isConnected && this._screen.contains(document.activeElement)) {
      this.node.focus();
    }
  }

  private readonly _screen = document.createElement('div');
  private readonly _curtain = document.createElement('p');
  private readonly _hint = document.createElement('p');
  private readonly _leaveKeys: IDisposable;
  private readonly _canvases = new MutationObserver(() => this._describeDisplay());
  private _wasAvailable: boolean;
  private _wasOnline: boolean;
  private _wasConnected = false;
}

export namespace ConsoleWidget {
  export interface IOptions {
    readonly target: Target;
    readonly pools: IVmPools;
    readonly connection: ConsoleConnection;
    readonly trans: TranslationBundle;
    /** The person wants out of the console, by keyboard. */
    readonly onLeave: () => void;
  }
}

function captionOf(vm: string, target: Target, trans: TranslationBundle): string {
  return 'pool' in target
    ? trans.__('Console of %1, from the pool %2', vm, target.pool)
    : trans.__('Console of %1', vm);
}
