// The words of the network check, in English.

export default {
  'check.title': 'Will calls work here?',
  'check.intro':
    'Your camera, your microphone and your network are tried the way a call would use them. It takes half a minute at most.',
  'check.promise': 'Nothing is recorded. At most 8 MB go out and come back.',
  'check.start': 'Start the check',
  'check.again': 'Check again',
  'check.running': 'Checking…',
  'check.progress': (/** @type {any} */ { done, all }) => `${done} of ${all} steps done`,
  'check.asking': 'Your browser asks whether this page may use camera and microphone. The check goes on if you say no.',
  'check.steps': 'Steps',
  'check.home': 'Back to the start',

  'check.state.waiting': 'Waiting',
  'check.state.running': 'Running',
  'check.state.passed': 'Passed',
  'check.state.warning': 'Mind this',
  'check.state.failed': 'Failed',
  'check.state.skipped': 'Left out',

  'check.group.devices': 'Your devices',
  'check.group.network': 'Your network',
  'check.group.relay': 'The relay',
  'check.group.relay.text': 'It carries a call where browsers can’t reach each other directly.',

  'check.name.camera': 'Camera',
  'check.name.microphone': 'Microphone',
  'check.name.signaling': 'Server',
  'check.name.addresses': 'Addresses',
  'check.name.nat': 'NAT',
  'check.name.udp': 'Over UDP',
  'check.name.tcp': 'Over TCP',
  'check.name.tls': 'Over TLS',
  'check.name.trip': 'Round trip',
  'check.name.speed': 'Throughput',

  'check.camera.ok': (/** @type {any} */ { label }) => `It gives a picture: ${label}.`,
  'check.camera.ok.unnamed': 'It gives a picture.',
  'check.camera.missing': 'No camera was found. Plug one in, or join without one: you still see and hear the others.',
  'check.camera.busy': 'Another program is using the camera. Close it and check again.',
  'check.camera.refused': 'The camera is blocked for this page. Allow it beside the address, then check again.',
  'check.camera.insecure': 'Browsers give a camera to https:// pages only. Open this page by its https address.',
  'check.camera.unknown': 'The camera did not start. Unplug it and plug it in again, or restart the browser.',
  'check.camera.unanswered': 'The browser’s question is still open. Answer it, then check again.',
  'check.microphone.ok': (/** @type {any} */ { label }) => `It gives sound: ${label}.`,
  'check.microphone.ok.unnamed': 'It gives sound.',
  'check.microphone.missing': 'No microphone was found. Plug one in, or join and listen.',
  'check.microphone.busy': 'Another program is using the microphone. Close it and check again.',
  'check.microphone.refused': 'The microphone is blocked for this page. Allow it beside the address, then check again.',
  'check.microphone.insecure':
    'Browsers give a microphone to https:// pages only. Open this page by its https address.',
  'check.microphone.unknown': 'The microphone did not start. Unplug it and plug it in again, or restart the browser.',
  'check.microphone.unanswered': 'The browser’s question is still open. Answer it, then check again.',
  'check.microphone.silent':
    'It is on, but gives no sound at all. Look for a switch on it, and for its volume in your system’s settings.',

  'check.signaling.ok': 'The server answers, and its line to your browser stays open.',
  'check.signaling.server': 'The server does not answer. Look whether you are online, then check again.',
  'check.signaling.closed':
    'The page came, but a WebSocket does not get through. A proxy or a filter stands between: ask whoever runs your network to let WebSockets pass.',
  'check.signaling.rate_limited': 'There were many checks from your address just now. Wait a minute, then check again.',
  'check.signaling.forbidden': 'This server is for its own machine only. Open it as localhost, or ask whoever runs it.',

  'check.addresses.ok': 'Your browser offers addresses of its own to those it calls.',
  'check.addresses.hidden':
    'Your browser hides its own addresses behind random names, for your privacy. Calls go on as usual; with camera or microphone allowed it tells them.',
  'check.addresses.relay':
    'Your browser keeps its own addresses to itself, by a setting or an extension. Every call goes through the relay.',
  'check.addresses.none':
    'Your browser offers no address at all. WebRTC is turned off in it, or by an extension: turn it on for this page.',

  'check.nat.none': 'Nothing translates your address on the way to this server. Direct calls are easy from here.',
  'check.nat.same':
    'Your router shows one address to everyone. Direct calls work with most people; this is the good kind.',
  'check.nat.symmetric':
    'Your router shows another address to each one you talk to (a symmetric NAT). Most calls go through the relay, and that is fine.',
  'check.nat.some':
    'Your router translates your address. Of which kind it is can’t be told, for this server answers at one address only.',
  'check.nat.unused':
    'Can’t be seen: your browser is set to send nothing over UDP. A setting, an extension or whoever manages this device decides that.',
  'check.nat.unasked': 'Not asked: the server does not answer.',
  'check.nat.blocked':
    'No answer came over UDP. Your network blocks it, or the server can’t be reached by it; direct calls don’t work from here.',

  'check.relay.udp.open': 'It carries data. This is the best way through a relay.',
  'check.relay.tcp.open': 'It carries data. This is what helps where UDP is blocked.',
  'check.relay.tls.open': 'It carries data. This gets through where little else does.',
  'check.relay.udp.absent': 'This server offers no relay over UDP.',
  'check.relay.tcp.absent': 'This server offers no relay over TCP.',
  'check.relay.tls.absent': 'This server offers no relay over TLS.',
  'check.relay.udp.unused': 'Not tried: your browser is set to send nothing over UDP.',
  'check.relay.reached':
    'It answers, but it needs an invitation here. Open this page by a link with a token to measure it too.',
  'check.relay.expired': 'It answers, but the invitation in this link has expired. Ask for a new link.',
  'check.relay.untrusted':
    'Your browser does not trust the server’s certificate: the server signed it itself. That you let the page pass does not count here. The server needs a certificate from an authority.',
  'check.relay.tls.doubtful':
    'No connection. Your network blocks its port, or your browser does not trust the server’s certificate. Whoever runs the server can tell.',
  'check.relay.refused': (/** @type {any} */ { code }) =>
    `It answers, but refuses (${code}). Check again in a minute; if it stays, tell whoever runs the server.`,
  'check.relay.stuck':
    'It gave an address, but nothing got through it. The server’s firewall may close the relay’s ports: tell whoever runs it.',
  'check.relay.udp.unreachable':
    'No answer. Your network blocks UDP, or the server’s port is closed. The other ways count then.',
  'check.relay.tcp.unreachable': 'No answer. Your network lets only some ports pass, or the server’s port is closed.',
  'check.relay.tls.unreachable': 'No answer. Your network lets only some ports pass, or the server’s port is closed.',

  'check.trip.ok': 'To the relay and back. Talk flows as in one room.',
  'check.trip.far':
    'To the relay and back. You will notice a pause before answers; the server is far, or the line is full.',
  'check.trip.lossy': (/** @type {any} */ { lost, sent }) =>
    `${lost} of ${sent} packets were lost. Sound may break up: go nearer to the Wi-Fi, or use a cable.`,
  'check.trip.none': 'Not measured: no relay carried data.',
  'check.speed.ok': 'Through the relay, up and down at once. Enough for several pictures.',
  'check.speed.some': 'Through the relay, up and down at once. Enough for a call with small pictures.',
  'check.speed.little':
    'Through the relay, up and down at once. Enough for voice: turn the camera off when it stutters.',
  'check.speed.none': 'Not measured: no relay carried data.',

  'verdict.good': 'Calls work well here',
  'verdict.good.text':
    'Friends reach you directly where their network allows it, and through the relay where it doesn’t.',
  'verdict.symmetric': 'Calls work here, through the relay',
  'verdict.symmetric.text':
    'Your network hides you behind a symmetric NAT, so calls go through the relay. It is reached over UDP, so you will hardly notice.',
  'verdict.udp_relay': 'Calls work here, with a detour',
  'verdict.udp_relay.text':
    'UDP leaves your network, but the relay can’t be reached by it. Where a direct call fails, it goes through the relay over TCP, and the picture may stutter. Tell whoever runs the server: a port may be closed.',
  'verdict.tcp_only': 'Calls work here, through the relay over TCP',
  'verdict.tcp_only.text':
    'Your network blocks UDP, so every call goes through the relay over TCP. Pictures may stutter when the line is busy. If you can, use another network.',
  'verdict.browser': 'Calls work here, through the relay only',
  'verdict.browser.text':
    'Your browser is set to send nothing over UDP, so every call goes through the relay over TCP. Pictures may stutter when the line is busy. An extension for privacy may do this, or whoever manages this device.',
  'verdict.tls_only': 'Calls work here, through the relay over TLS',
  'verdict.tls_only.text':
    'Your network lets little but encrypted web traffic pass, so every call goes through the relay over TLS. Pictures may stutter when the line is busy.',
  'verdict.relay_gone': 'Calls work with some people only',
  'verdict.relay_gone.text':
    'You can talk directly, but the relay can’t be used. With people behind strict networks no call will come about. Tell whoever runs the server, and send the report.',
  'verdict.symmetric_alone': 'Most calls won’t work here',
  'verdict.symmetric_alone.text':
    'Your network hides you behind a symmetric NAT, so calls need the relay, and that can’t be used. Try another network, and send the report to whoever runs the server.',
  'verdict.blocked': 'Calls won’t work from this network',
  'verdict.blocked.text':
    'It lets neither direct calls nor the relay pass. Try another network, such as your phone’s, or ask whoever runs this one; the report tells them what is closed.',
  'verdict.unmeasured': 'The way is open',
  'verdict.unmeasured.text':
    'Server and relay answer. How well the relay carries a call is measured only with an invitation: open this page by a link with a token.',
  'verdict.unmeasured_blocked': 'The relay answers, direct calls don’t work',
  'verdict.unmeasured_blocked.text':
    'Your network blocks UDP, so calls will go through the relay. How well it carries them is measured only with an invitation: open this page by a link with a token.',
  'verdict.server': 'The server can’t be reached',
  'verdict.server.text':
    'Without its signaling no call begins. Look whether you are online, then check again; if only this page fails, send the report to whoever runs the server.',
  'verdict.no_webrtc': 'This browser can’t make calls',
  'verdict.no_webrtc.text':
    'WebRTC is turned off in it, by a setting or an extension. Turn it on for this page, or use a current Chrome, Edge, Firefox or Safari.',
  'verdict.again': 'Too many checks just now',
  'verdict.again.text': 'There were many from your address. Wait a minute, then check again.',
  'verdict.note.untrusted':
    'Your browser does not trust the server’s certificate, so the relay over TLS can’t help you. Where a network lets only that pass, calls would fail.',
  'verdict.note.slow': 'The line carries little. Turn your camera off when sound breaks up.',
  'verdict.note.far': 'The way to the server is long: expect a short pause before answers.',
  'verdict.note.lossy': 'Packets get lost on the way. A cable in place of Wi-Fi often helps.',
  'verdict.note.camera': 'Your camera can’t be used yet: see the first step.',
  'verdict.note.microphone': 'Your microphone can’t be used yet, so nobody would hear you: see the second step.',
  'verdict.note.devices': 'Camera and microphone can’t be used yet: see the first two steps.',

  'report.title': 'A report for whoever helps you',
  'report.text': 'All that was measured, as text. Your addresses are shortened.',
  'report.text.full': 'All that was measured, as text. Your addresses are in it: send it to people you trust.',
  'report.full': 'With full addresses and device names',
  'report.copy': 'Copy the report',
  'report.copied': 'Copied. Paste it into a message.',
  'report.failed': 'It could not be copied. Select the text below and copy it by hand.',
  'report.show': 'Show the report',
  'report.head': 'madang network check',
  'report.page': 'Page',
  'report.browser': 'Browser',
  'report.verdict': 'Verdict',
  'report.addresses': 'Addresses',
  'report.errors': 'What the browser said of servers',
  'report.measured': 'Figures',
  'report.nothing': 'none',
};
