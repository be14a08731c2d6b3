// Finds and launches the browsers.
import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';
import { startSoundCard } from './sound_card.mjs';

const chromiumPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
];
const firefoxPaths = ['/usr/bin/firefox-esr', '/usr/bin/firefox', '/snap/bin/firefox'];

function find(name, variable, paths) {
  const found = process.env[variable] ?? paths.find((path) => existsSync(path));
  if (!found) throw new Error(`${name} was not found; set ${variable} to its path`);
  return found;
}

/** The path of Chromium. */
export const chromiumPath = () => find('Chromium', 'CHROMIUM', chromiumPaths);

const chromiumArgs = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--use-fake-device-for-media-stream=fps=30',
  '--use-fake-ui-for-media-stream',
  '--auto-select-desktop-capture-source=Entire screen',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/**
 * @param {{ args?: string[], executablePath?: string, language?: string, pipe?: boolean, trust?: boolean }} [options]
 */
export function launchChromium({ args = [], executablePath, language = 'en-US', pipe = false, trust = true } = {}) {
  // The test server's certificate is its own. Without this a person could let its pages pass, but not `turns:`.
  const trusting = trust ? ['--ignore-certificate-errors'] : [];
  return puppeteer.launch({
    browser: 'chrome',
    executablePath: executablePath ?? chromiumPath(),
    pipe,
    headless: true,
    acceptInsecureCerts: true,
    args: [...chromiumArgs, ...trusting, `--lang=${language}`, `--accept-lang=${language}`, ...args],
    env: { ...process.env, LANGUAGE: language },
  });
}

/** Firefox, steered by WebDriver BiDi. */
export async function launchFirefox() {
  const sound = await startSoundCard();
  const launching = puppeteer.launch({
    browser: 'firefox',
    executablePath: find('Firefox', 'FIREFOX', firefoxPaths),
    headless: true,
    acceptInsecureCerts: true,
    env: { ...process.env, ...sound.env },
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      'media.autoplay.block-webaudio': false,
      'media.autoplay.blocking_policy': 0,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'intl.accept_languages': 'en-US',
    },
  });
  const firefox = await launching.catch((error) => {
    sound.stop();
    throw error;
  });
  firefox.once('disconnected', () => sound.stop());
  return firefox;
}
