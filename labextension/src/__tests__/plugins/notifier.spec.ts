import { beforeEach, describe, expect, it } from '@jest/globals';
import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { ApiError } from '../../api/error';
import { notifier, tellOfFile } from '../../plugins/notifier';

const trans = nullTranslator.load('vmpool_ext');
const tell = notifier(trans);
const DEMO = { pool: 'demo' };
const notifications = () => Notification.manager.notifications;

beforeEach(() => Notification.dismiss());

describe('A refusal', () => {
  it('becomes one notification with the sentence of the server', () => {
    tell('start', DEMO, new ApiError('pool-exhausted', 'All VMs are in use.', 409));

    expect(notifications().map(({ message, type }) => [message, type])).toEqual([
      ['Start demo: All VMs are in use.', 'warning']
    ]);
  });

  it('is cut at 140 characters, and shows that it was', () => {
    tell('stop', DEMO, new ApiError('internal', 'x'.repeat(300), 500));

    expect(notifications()[0]?.message).toMatch(/^.{139}…$/);
    expect(notifications()[0]?.type).toBe('error');
  });

  it('is told in our words when no server spoke', () => {
    tell('stop', DEMO, new ApiError('unreachable', 'Failed to fetch', 0));

    expect(notifications()[0]?.message).toBe('Stop demo: The Jupyter server cannot be reached.');
  });
});

describe('A file that was downloaded', () => {
  it.each(['win11-1.vv', `${'x'.repeat(33)}.vv`])(
    'comes with what to do, and what if nothing happens: %p',
    name => {
      tellOfFile(trans, name);

      const { message } = notifications()[0] ?? { message: '' };
      expect(message).toContain(`${name}: Open it with virt-viewer`);
      expect(message).toContain('If nothing happens');
      expect(message.length).toBeLessThanOrEqual(140);
    }
  );
});
