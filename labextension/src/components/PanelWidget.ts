import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import type { IVmPools } from '../tokens';
import { PoolPanel } from './PoolPanel';
import type { OnAction } from './VmActions';

/** The side panel: the model as properties, the buttons as one callback. */
export class PanelWidget extends ReactWidget {
  constructor(private readonly _options: PanelWidget.IOptions) {
    super();
    this.addClass('jp-VmPool');
    this.node.tabIndex = -1;
    _options.pools.changed.connect(this._onChanged, this);
  }

  protected override render(): JSX.Element {
    const { pools, trans, language, onAction } = this._options;
    return React.createElement(PoolPanel, {
      availability: pools.availability,
      connected: pools.connected,
      pools: pools.pools,
      vms: pools.vms,
      notices: pools.notices,
      problem: pools.problem,
      pending: target => pools.pending(target),
      trans,
      language,
      onAction
    });
  }

  /** Whoever opens the panel goes on in it, with Tab to its first button. */
  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    if (!this.node.contains(document.activeElement)) {
      this.node.focus();
    }
  }

  private _onChanged(): void {
    this.update();
  }
}

export namespace PanelWidget {
  export interface IOptions {
    readonly pools: IVmPools;
    readonly trans: TranslationBundle;
    readonly language: string;
    readonly onAction: OnAction;
  }
}
