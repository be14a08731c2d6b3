// `/check`: will calls work here? Begins when the person says so.

import { h, find } from '../dom.js';
import { addWords, onLang, t } from '../i18n.js';
import { LevelLine } from '../level_line.js';
import { reportText } from './report.js';
import { ReportView } from './report_view.js';
import { Check, STEPS } from './steps.js';
import { verdict } from './verdict.js';
import { View } from './view.js';
import en from './words.en.js';
import ko from './words.ko.js';

/**
 * @typedef {import('./types.js').Findings} Findings
 * @typedef {import('./types.js').Judgement} Judgement
 * @typedef {import('./steps.js').StepName} StepName
 */

addWords({ en, ko });

/** In the fragment a token reaches no server's log. */
const token =
  new URLSearchParams(location.hash.slice(1)).get('token') ?? new URLSearchParams(location.search).get('token') ?? '';

/** @type {Map<StepName, Judgement>} */
const judgements = new Map();
/** @type {{findings: Findings, at: Date}|null} */
let last = null;

const report = new ReportView((isFull) => {
  if (!last) return '';
  const steps = STEPS.flatMap((name) => {
    const judgement = judgements.get(name);
    return judgement ? [/** @type {[string, Judgement]} */ ([name, judgement])] : [];
  });
  const { findings, at } = last;
  const { origin: page } = location;
  return reportText({ findings, steps, verdict: verdict(findings), isFull, at, page, browser: navigator.userAgent, t });
});
const view = new View({ onStart: () => void run(), report: report.element });
const line = new LevelLine();

/** The picture and the voice, while they are open. @param {import('/sdk/index.js').LocalTrack[]} tracks */
function showTracks(tracks) {
  const camera = tracks.find(({ source }) => source === 'camera');
  const microphone = tracks.find(({ source }) => source === 'microphone') ?? null;
  const picture = view.liveOf('camera');
  const voice = view.liveOf('microphone');
  picture.hidden = !camera;
  voice.hidden = !microphone;
  line.listen(microphone);
  voice.replaceChildren(line.element);
  picture.replaceChildren();
  if (!camera) return;
  const video = h('video', { class: 'step-picture', autoplay: true, playsinline: true, label: 'pre.preview' });
  video.muted = true;
  picture.append(video);
  camera.attach(video);
}

async function run() {
  judgements.clear();
  view.begin();
  let done = 0;
  const check = new Check({
    token,
    onTracks: showTracks,
    onStep: (name, judgement) => {
      judgements.set(name, judgement);
      view.step(name, judgement);
      if (judgement.state !== 'running') view.progress((done += 1));
    },
  });
  const findings = await check.run();
  last = { findings, at: new Date() };
  view.end(verdict(findings));
  report.refresh();
}

find('#view', HTMLElement).replaceChildren(view.element);
view.retitle();
onLang(() => view.retitle());
