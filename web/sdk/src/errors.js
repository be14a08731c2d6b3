// What can go wrong, as types that a caller can switch on.

/** The server refused something, or could not be reached. */
export class SignalingError extends Error {
  /**
   * @param {string} code a code of the protocol, or `unreachable`, `closed`, `timeout`
   * @param {string} message for people
   * @param {{ fatal?: boolean, retryAfterMs?: number }} [more]
   */
  constructor(code, message, more = {}) {
    super(message);
    this.name = 'SignalingError';
    /** A stable name of the fault. */
    this.code = code;
    /** Whether the session ends with it. */
    this.fatal = more.fatal ?? false;
    /** When to try again, in milliseconds. @type {number | undefined} */
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** @typedef {'missing' | 'busy' | 'refused' | 'insecure' | 'unknown'} MediaReason */

/** A camera, microphone or screen can't be had. */
export class MediaError extends Error {
  /**
   * @param {MediaReason} reason
   * @param {'audio' | 'video' | 'screen'} kind
   * @param {unknown} [cause]
   */
  constructor(reason, kind, cause) {
    super(`${kind}: ${reason}`, { cause });
    this.name = 'MediaError';
    /** Why. */
    this.reason = reason;
    /** What was asked for. */
    this.kind = kind;
  }

  /**
   * Names of getUserMedia's errors differ between browsers.
   * @param {unknown} error
   * @param {'audio' | 'video' | 'screen'} kind
   * @returns {MediaError}
   */
  static from(error, kind) {
    if (error instanceof MediaError) return error;
    const name = error instanceof Error || error instanceof DOMException ? error.name : '';
    return new MediaError(REASONS[name] ?? 'unknown', kind, error);
  }
}

/** @type {Record<string, MediaReason>} */
const REASONS = {
  NotFoundError: 'missing',
  DevicesNotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  TrackStartError: 'busy',
  AbortError: 'busy',
  NotAllowedError: 'refused',
  PermissionDeniedError: 'refused',
  SecurityError: 'insecure',
};
