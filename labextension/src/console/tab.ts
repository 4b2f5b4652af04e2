import { MainAreaWidget } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';
import { ReactWidget, Toolbar, UseSignal } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import type { Target } from '../api/target';
import { keyOf } from '../api/target';
import { ConsoleBar } from '../components/ConsoleBar';
import type { IVmPools } from '../tokens';
import { ConsoleConnection } from './connection';
import type { OpenDisplay } from './display';
import { displaysIn } from './display';
import { Tickets } from './tickets';
import { ConsoleWidget } from './widget';

/** The tab in the main area: a bar with the state, and the console below it. */
export class ConsoleTab extends MainAreaWidget<ConsoleWidget> {
  constructor({ target, pools, settings, translator }: ConsoleTab.IOptions) {
    const trans = translator.load('vmpool_ext');
    const tickets = new Tickets(target, pools, trans);
    const connection = new ConsoleConnection({
      askForTicket: hasEnded => tickets.ask(hasEnded),
      loadDisplay: async (): Promise<OpenDisplay> => {
        await pools.ready;
        return displaysIn(content.screen, settings, pools.vm(target)?.display);
      }
    });
    const toolbar = new Toolbar();
    const onLeave = (): void => toolbar.node.querySelector('button')?.focus();
    const content = new ConsoleWidget({ target, pools, connection, trans, onLeave });
    super({ content, toolbar, translator });
    this._tickets = tickets;
    this.id = `vmpool-console-${keyOf(target)}`;
    toolbar.addItem('console', barOf(content, trans));
    toolbar.node.setAttribute('aria-label', trans.__('Console toolbar'));
  }

  /** The person asked for this console, and agreed to take it over if somebody else has it. */
  agree(): void {
    const { connection } = this.content;
    this._tickets.agree();
    if (connection.status.state === 'closed') {
      connection.reconnect();
    }
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    // Once: moving the tab attaches it again.
    if (!this._hasBegun) {
      this._hasBegun = true;
      this.content.connection.connect();
    }
  }

  private readonly _tickets: Tickets;
  private _hasBegun = false;
}

export namespace ConsoleTab {
  export interface IOptions {
    readonly target: Target;
    readonly pools: IVmPools;
    readonly settings: ServerConnection.ISettings;
    readonly translator: ITranslator;
  }
}

function barOf(content: ConsoleWidget, trans: ReturnType<ITranslator['load']>): ReactWidget {
  const { connection } = content;
  const bar = ReactWidget.create(
    React.createElement(UseSignal, {
      signal: connection.statusChanged,
      children: () =>
        React.createElement(ConsoleBar, {
          status: connection.status,
          vm: content.vm,
          trans,
          onCtrlAltDel: () => connection.display?.sendCtrlAltDel(),
          onReconnect: () => connection.reconnect()
        })
    })
  );
  bar.addClass('jp-VmPool-ConsoleBarItem');
  return bar;
}
