// madang, ffmpeg and GStreamer mix the same files to 720p30 in VP8 (cpu-used -8, 1500 kbit/s, one thread), as fast as they
// can. RUNS of which the median counts (3), MEDIA the folder of the files.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { median, printTable } from '../lib/table.mjs';

const bin = process.env.MADANG_BIN ?? 'target/release/madang';
const media = process.env.MEDIA;
const runs = Number(process.env.RUNS ?? 3);
const SECONDS = 10;
const [WIDTH, HEIGHT] = [1280, 720];

const file = (name) => path.join(media, `${name}.webm`);
const numbered = (count, suffix = '') => Array.from({ length: count }, (_, index) => `s${(index % 9) + 1}${suffix}`);
const cases = [
  { name: '4', files: numbered(4) },
  { name: '9', files: numbered(9) },
  { name: '9, which offer 180p', files: numbered(9), small: numbered(9, '-180') },
  { name: '9, of which 7 are still', files: ['s1', 's2', ...Array(7).fill('still')] },
  { name: '25, which offer 180p', files: numbered(25), small: numbered(25, '-180') },
];

/** Where the tiles are: as `madang loadtest mix --bare` puts them. */
function tiles(count) {
  const columns = Math.ceil(Math.sqrt(count));
  const [width, height] = [WIDTH, HEIGHT].map((side) => Math.floor(side / columns / 2) * 2);
  return Array.from({ length: count }, (_, index) => ({
    x: (index % columns) * width,
    y: Math.floor(index / columns) * height,
    width,
    height,
  }));
}

function madang(files, out) {
  return [bin, 'loadtest', 'mix', '--bare', '--out', out, ...files.map(file)];
}

/** ffmpeg's graph; without an encoder's options the composite itself is written. */
function ffmpeg(files, out, { flags = '', encoder }) {
  const places = tiles(files.length);
  const { width, height } = places[0];
  const scaled = files.map((_, index) => `[${index}:v]scale=${width}:${height}${flags}[v${index}]`);
  const stack = `${files.map((_, index) => `[v${index}]`).join('')}xstack=inputs=${files.length}:layout=${places.map(({ x, y }) => `${x}_${y}`).join('|')}`;
  const graph = [...scaled, `${stack},pad=${WIDTH}:${HEIGHT}[o]`].join(';');
  const inputs = files.flatMap((name) => ['-threads', '1', '-i', file(name)]);
  return [
    'ffmpeg',
    ...['-v', 'error', '-y', '-filter_threads', '1', '-filter_complex_threads', '1'],
    ...inputs,
    ...['-filter_complex', graph, '-map', '[o]', '-r', '30', ...encoder, out],
  ];
}
const vp8 = ['-c:v', 'libvpx', '-b:v', '1500k', '-minrate', '1500k', '-maxrate', '1500k', '-bufsize', '1500k'].concat([
  '-deadline',
  'realtime',
  '-cpu-used',
  '-8',
  '-lag-in-frames',
  '0',
  '-g',
  '9999',
  '-threads',
  '1',
  '-f',
  'webm',
]);
const lossless = ['-c:v', 'ffv1', '-f', 'matroska'];

function gstreamer(files, out) {
  const pads = tiles(files.length).flatMap(({ x, y, width, height }, index) =>
    Object.entries({ xpos: x, ypos: y, width, height }).map(([name, value]) => `sink_${index}::${name}=${value}`),
  );
  const sources = files.flatMap((name, index) => [
    ...['filesrc', `location=${file(name)}`, '!', 'matroskademux', '!', 'vp8dec', 'threads=1', '!'],
    `c.sink_${index}`,
  ]);
  return [
    ...['gst-launch-1.0', '-q', 'compositor', 'name=c', 'background=black', ...pads, '!'],
    `video/x-raw,format=I420,width=${WIDTH},height=${HEIGHT},framerate=30/1`,
    ...['!', 'vp8enc', 'target-bitrate=1500000', 'end-usage=cbr', 'deadline=1', 'cpu-used=-8', 'threads=1'],
    ...['keyframe-max-dist=9999', 'lag-in-frames=0', '!', 'webmmux', '!', 'filesink', `location=${out}`],
    ...sources,
  ];
}

/** CPU-seconds, user and system, for each second of the mix. */
function cost([program, ...args]) {
  // bash's own clock of what its children used; on one core, so that threads do not wait for each other.
  const script = 'TIMEFORMAT=\'%U %S\'; time taskset -c 1 "$@" >/dev/null 2>/dev/null';
  const done = spawnSync('bash', ['-c', script, 'bash', program, ...args], { encoding: 'utf8' });
  if (done.status !== 0)
    throw new Error(`${program} failed; run it by itself to see why: ${[program, ...args].join(' ')}`);
  const [user, system] = done.stderr.trim().split(' ').map(Number);
  return (user + system) / SECONDS;
}

/** PSNR and SSIM of a mix against the ideal one. */
function likeness(out, ideal) {
  const graph = '[0:v]fps=30,split[a][b];[1:v]fps=30,split[c][d];[a][c]psnr;[b][d]ssim';
  const args = ['-hide_banner', '-nostats', '-i', out, '-i', ideal, '-lavfi', graph, '-f', 'null', '-'];
  const { stderr } = spawnSync('ffmpeg', args, { encoding: 'utf8' });
  const figure = (pattern) => Number(stderr.match(pattern)?.[1] ?? NaN);
  return { psnr: figure(/PSNR .*average:([\d.]+)/), ssim: figure(/SSIM .*All:([\d.]+)/) };
}

const folder = mkdtempSync(path.join(tmpdir(), 'madang-mix-'));
try {
  const rows = [];
  let ffmpegOfNine;
  for (const { name, files, small } of cases) {
    const ideal = path.join(folder, 'ideal.mkv');
    const flags = ':flags=lanczos+accurate_rnd+full_chroma_int';
    const [program, ...args] = ffmpeg(files, ideal, { flags, encoder: lossless });
    execFileSync(program, args);
    const ways = [['madang', (out) => madang(small ?? files, out)]];
    // Others have no layers to choose from: they are measured with the whole pictures, once.
    if (!small) {
      ways.push(['ffmpeg', (out) => ffmpeg(files, out, { encoder: vp8 })]);
      ways.push(['GStreamer', (out) => gstreamer(files, out)]);
    }
    const results = ways.map(([who, command]) => {
      const out = path.join(folder, `${who}.webm`);
      const costs = Array.from({ length: runs }, () => cost(command(out)));
      const kbps = (statSync(out).size * 8) / SECONDS / 1000;
      return { who, cost: median(costs), kbps, ...likeness(out, ideal) };
    });
    const beside = results.find(({ who }) => who === 'ffmpeg') ?? ffmpegOfNine;
    if (name === '9') ffmpegOfNine = beside;
    for (const { who, cost, kbps, psnr, ssim } of results) {
      const share = who === 'ffmpeg' ? '1' : (cost / beside.cost).toFixed(2) + (small ? ' of its 9' : '');
      rows.push([name, who, cost.toFixed(3), share, kbps.toFixed(0), psnr.toFixed(2), ssim.toFixed(4)]);
    }
  }
  printTable(['sources', '', 'CPU-s/s', 'of ffmpeg', 'kbit/s', 'PSNR, dB', 'SSIM'], rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
