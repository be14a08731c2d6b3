// What a check finds out. Findings are facts; what they mean is said by `judge.js` and `verdict.js`.

/**
 * @typedef {'udp'|'tcp'|'tls'} Transport
 * @typedef {import('/sdk/protocol.js').IceServer} IceServer
 * @typedef {import('/sdk/errors.js').MediaReason|'unanswered'|'silent'} DeviceProblem
 *
 * @typedef {object} DeviceFinding
 * @property {DeviceProblem|null} problem
 * @property {string} label the device's name
 *
 * @typedef {object} ServerFinding what `/v1/check` says
 * @property {IceServer[]} servers
 * @property {'none'|'self_signed'|'configured'} certificate
 * @property {string|null} refused why there are no credentials for the relay
 * @property {string|null} problem an error code, or `unreachable`
 *
 * @typedef {object} SignalingFinding
 * @property {boolean} isOpen
 * @property {number} tripMs from a question to its answer
 *
 * @typedef {object} Candidate
 * @property {'host'|'srflx'|'prflx'|'relay'} type
 * @property {string} protocol `udp` or `tcp`
 * @property {'IPv4'|'IPv6'|'mDNS'} family
 * @property {string} address
 * @property {number} port
 * @property {string} relatedAddress
 * @property {number} relatedPort
 * @property {Transport|null} relayProtocol
 * @property {string} url of the server that it comes from; empty where the browser does not say
 *
 * @typedef {{url: string, code: number, text: string}} IceError
 *
 * @typedef {object} Gathering
 * @property {Candidate[]} candidates
 * @property {IceError[]} errors
 * @property {boolean} isComplete
 *
 * @typedef {'none'|'same'|'symmetric'|'some'|'blocked'|'unused'} NatKind
 *   none: nothing translates; same: one address outside, whoever is asked; symmetric: another one
 *   for each; some: translated, but one server only could be asked; blocked: no answer over UDP;
 *   unused: the browser itself sends nothing over UDP
 *
 * @typedef {'open'|'reached'|'untrusted'|'unreachable'|'refused'|'stuck'|'absent'} RelayOutcome
 *   reached: it answers, but there were no credentials; stuck: a relay was given, and nothing got through
 *
 * @typedef {object} RelayFinding
 * @property {RelayOutcome} outcome
 * @property {number} openMs from nothing to an open data channel
 * @property {number} tripMs median, to the relay and back
 * @property {IceError[]} errors
 * @property {Candidate[]} candidates
 *
 * @typedef {object} TripFinding
 * @property {Transport} via
 * @property {number} medianMs to the relay and back
 * @property {number} worstMs
 * @property {number} sent
 * @property {number} lost
 *
 * @typedef {object} SpeedFinding
 * @property {Transport} via
 * @property {number} mbit Mbit/s
 * @property {boolean} isMore the line carries more than was tried
 * @property {number} bytes
 *
 * @typedef {object} Findings everything that is known so far
 * @property {DeviceFinding} [camera]
 * @property {DeviceFinding} [microphone]
 * @property {ServerFinding} [server]
 * @property {SignalingFinding} [signaling]
 * @property {Gathering} [gathering]
 * @property {NatKind} [nat]
 * @property {Partial<Record<Transport, RelayFinding>>} relay
 * @property {TripFinding|null} [trip]
 * @property {SpeedFinding|null} [speed]
 *
 * @typedef {'waiting'|'running'|'passed'|'warning'|'failed'|'skipped'} StepState
 *
 * @typedef {object} Judgement one step's state, and the sentence that says what it means
 * @property {StepState} state
 * @property {string} say
 * @property {Record<string, any>} [with]
 * @property {string} [value] a figure
 * @property {string[]} [facts] in terms of the field
 */

export {};
