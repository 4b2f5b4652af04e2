import { LabIcon } from '@jupyterlab/ui-components';
import type { UserAction } from './api/types';
import type { Phase } from './model/phase';

function icon(name: string, shapes: string): LabIcon {
  const svgstr =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">' +
    `<g class="jp-icon3" fill="#616161">${shapes}</g></svg>`;
  return new LabIcon({ name: `vmpool:${name}`, svgstr });
}

const SCREEN =
  'M3 4h18a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm1 2v10h16V6z';
const POWER = 'M11 3h2v10h-2zM6.2 6.2l1.4 1.4a6.2 6.2 0 1 0 8.8 0l1.4-1.4a8.2 8.2 0 1 1-11.6 0z';

/** Several screens in one another's place: the pool. */
export const poolIcon = icon(
  'pool',
  '<path d="M6 3h15a1 1 0 0 1 1 1v11h-2V5H6z"/>' +
    '<path d="M3 7h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-5v2h3v2H5v-2h3v-2H3a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zm1 2v7h12V9z"/>'
);

export const machineIcon = icon('machine', `<path d="${SCREEN}"/><path d="M7 20h10v2H7z"/>`);

export const lockedKeyboardIcon = icon(
  'ctrl-alt-del',
  '<path d="M3 6h18a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zm1 2v8h16V8z"/>' +
    '<path d="M6 9.5h2v2H6zm3.3 0h2v2h-2zm3.4 0h2v2h-2zm3.3 0h2v2h-2zM8 13h8v1.6H8z"/>'
);

export const warningIcon = icon(
  'warning',
  '<path d="M12 2.5 23 21.5H1zM11 10v5h2v-5zm0 6.5v2h2v-2z" fill-rule="evenodd"/>'
);

export const reconnectIcon = icon(
  'reconnect',
  '<path d="M12 4a8 8 0 0 1 7 4.1V4h2v8h-8v-2h4.6A6 6 0 1 0 18 13.5l1.9.7A8 8 0 1 1 12 4z"/>'
);

export const actionIcons: Readonly<Record<UserAction, LabIcon>> = {
  start: icon('start', '<path d="M7 4.5v15l12-7.5z"/>'),
  console: icon(
    'console',
    `<path d="${SCREEN}"/><path d="M7 8.2 8.2 7l4 4-4 4L7 13.8 9.8 11zM12.5 13.2h5V15h-5z"/><path d="M7 20h10v2H7z"/>`
  ),
  stop: icon('stop', `<path d="${POWER}"/>`),
  reset: icon(
    'reset',
    '<path d="M12 5V1.5L7 6l5 4.5V7a5.5 5.5 0 1 1-5.5 5.5h-2A7.5 7.5 0 1 0 12 5z"/>'
  ),
  release: icon(
    'release',
    '<path d="M9 4 3 10l6 6v-4.2h5.5a3.6 3.6 0 0 1 0 7.2H7v2h7.5a5.6 5.6 0 0 0 0-11.2H9z"/>'
  ),
  file: icon(
    'download',
    `<path d="${SCREEN}"/><path d="M11 7h2v4h2.5L12 14.6 8.5 11H11z"/><path d="M7 20h10v2H7z"/>`
  )
};

export const errorIcon = icon(
  'error',
  '<path d="M8 2h8l6 6v8l-6 6H8l-6-6V8zm3 4.5v7h2v-7zm0 8.8v2.2h2v-2.2z" fill-rule="evenodd"/>'
);

/** Nothing that one does helps: it takes time. */
export const waitIcon = icon(
  'wait',
  '<path d="M6 2h12v2h-1v3.5L13.4 12l3.6 4.5V20h1v2H6v-2h1v-3.5l3.6-4.5L7 7.5V4H6zm3 2v2.8l3 3.7 3-3.7V4z" fill-rule="evenodd"/>'
);

const TURN = 'M12 4v2a6 6 0 1 0 6 6h2a8 8 0 1 1-8-8z';
const PERSON = 'M12 4.5a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6z';
const SHOULDERS = 'M4.5 20c0-4.2 3.3-6.6 7.5-6.6s7.5 2.4 7.5 6.6z';

/** Each of another shape, so that nobody needs to see the colour. */
export const phaseIcons: Readonly<Record<Phase, LabIcon>> = {
  off: icon(
    'off',
    '<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zm0 2a6 6 0 1 0 0 12 6 6 0 0 0 0-12z"/>'
  ),
  starting: icon('starting', `<path d="${TURN}"/>`),
  preparing: icon('preparing', `<path d="${TURN}"/><path d="M9 9h6v6H9z"/>`),
  booting: icon('booting', `<path d="${TURN}"/><circle cx="12" cy="12" r="3"/>`),
  silent: icon(
    'silent',
    '<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM6.5 11v2h2v-2zm4.5 0v2h2v-2zm4.5 0v2h2v-2z" fill-rule="evenodd"/>'
  ),
  'logging-in': icon(
    'logging-in',
    '<path d="M11 3h9v18h-9v-2h7V5h-7z"/><path d="M3 11h7V7.5l5 4.5-5 4.5V13H3z"/>'
  ),
  'login-failed': icon(
    'login-failed',
    '<path d="M11 3h9v18h-9v-2h7V5h-7z"/><path d="m4.4 8 3.1 3.1L10.6 8 12 9.4 8.9 12.5 12 15.6 10.6 17l-3.1-3.1L4.4 17 3 15.6l3.1-3.1L3 9.4z"/>'
  ),
  'in-use': icon('in-use', `<path d="${PERSON}"/><path d="${SHOULDERS}"/>`),
  running: icon('running', '<circle cx="12" cy="12" r="8"/>'),
  stopping: icon(
    'stopping',
    '<path d="M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zm0 2v12a6 6 0 0 0 0-12z" fill-rule="evenodd"/>'
  ),
  failed: warningIcon
};
