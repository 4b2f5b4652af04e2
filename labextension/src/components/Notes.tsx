import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { poolIcon } from '../icons';

interface INoteProps {
  readonly trans: TranslationBundle;
}

/** The shape of what will be here, so that nothing jumps when it comes. */
export function LoadingNote({ trans }: INoteProps): JSX.Element {
  return (
    <div className="jp-VmPool-Loading" data-note="loading">
      <p>{trans.__('Loading…')}</p>
      {['first', 'second'].map(card => (
        <div key={card} className="jp-VmPool-Card" aria-hidden="true">
          <span className="jp-VmPool-Bone jp-mod-short" />
          <span className="jp-VmPool-Bone" />
        </div>
      ))}
    </div>
  );
}

export function EmptyNote({ trans }: INoteProps): JSX.Element {
  return (
    <div className="jp-VmPool-Note" data-note="empty">
      <poolIcon.react tag="span" className="jp-VmPool-NoteIcon" />
      <p>{trans.__('There is no pool that you may use.')}</p>
      <p>
        {trans.__('Define one, or ask your administrator for access. It shows up here by itself.')}
      </p>
    </div>
  );
}

export function UnsupportedNote({ trans }: INoteProps): JSX.Element {
  return (
    <div className="jp-VmPool-Note" data-note="unsupported">
      <poolIcon.react tag="span" className="jp-VmPool-NoteIcon" />
      <p>{trans.__('This Jupyter server does not offer virtual machines.')}</p>
      <p>
        {trans.__(
          'Its server extension vmpool_ext is missing or disabled. When it has been enabled, reload this page.'
        )}
      </p>
    </div>
  );
}
