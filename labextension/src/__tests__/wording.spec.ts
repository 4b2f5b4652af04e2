import { describe, expect, it } from '@jest/globals';
import { localTime } from '../wording';

const NOON = new Date(2026, 10, 22, 12, 0);
const EVENING = new Date(2026, 10, 22, 18, 20).toISOString();
const TOMORROW = new Date(2026, 10, 23, 9, 5).toISOString();

describe('A time', () => {
  it('of today is only the time', () => {
    expect(localTime(EVENING, 'en-GB', NOON)).toBe('18:20');
  });

  it('of another day has its date', () => {
    expect(localTime(TOMORROW, 'en-GB', NOON)).toBe('23 Nov 2026, 09:05');
  });

  it('is written as in the language of the lab', () => {
    expect(localTime(TOMORROW, 'de_DE', NOON)).toBe('23.11.2026, 09:05');
  });

  it.each(['default', ''])('is written somehow in the language %p', language => {
    expect(localTime(EVENING, language, NOON)).toContain('20');
  });

  it('that cannot be read is shown as it came', () => {
    expect(localTime('soon', 'en', NOON)).toBe('soon');
  });
});
