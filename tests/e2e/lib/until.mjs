// Waiting by asking again, because page.waitForFunction returns at once for async functions.

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks until the answer is truthy and returns it. `ask` may return `{ wait: reason }` to say why
 * not yet; the last reason or error stands in the message when time is up.
 * @template T
 * @param {string} what a sentence that has to become true
 * @param {() => Promise<T> | T} ask
 * @param {{ timeout?: number, every?: number }} [options] in milliseconds
 * @returns {Promise<T>}
 */
export async function until(what, ask, { timeout = 10_000, every = 100 } = {}) {
  const start = performance.now();
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer && !isReason(answer)) return answer;
      last = isReason(answer) ? answer.wait : answer;
    } catch (error) {
      last = error;
    }
    const passed = performance.now() - start;
    if (passed > timeout) {
      throw new Error(`not within ${timeout} ms: ${what}; last: ${describe(last)}`);
    }
    await sleep(every);
  }
}

function isReason(answer) {
  return typeof answer === 'object' && answer !== null && 'wait' in answer;
}

function describe(value) {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
