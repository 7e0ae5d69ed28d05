// Starts what is tested: the pages over a made-up winter Tuesday, or a whole `fallow dev`.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const READY_MS = 60_000
/** A port that was free a moment ago can be somebody else's by the time that it is used. */
const TRIES = 5

/** Returns a port that is free at the moment. */
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Builds something and waits for it; the first run of a fresh clone takes minutes. */
export const build = (args) =>
  new Promise((resolve, reject) => {
    const cargo = spawn('cargo', ['build', '--quiet', ...args], { cwd: ROOT, stdio: 'inherit' })
    cargo.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`cargo build ended with ${code}`))))
  })

/** Starts a program on two free ports, and again on others when it ends before it answers. */
const run = async (command, argsOn, environment) => {
  for (let left = TRIES - 1; ; left -= 1) {
    const [port, other] = [await freePort(), await freePort()]
    try {
      return await start(command, argsOn(port, other), port, environment)
    } catch (error) {
      if (!error.hasEnded || left === 0) throw error
    }
  }
}

const start = async (command, args, port, environment = {}) => {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...environment } })
  const base = `http://127.0.0.1:${port}`
  const until = Date.now() + READY_MS
  for (;;) {
    if (child.exitCode !== null) throw Object.assign(new Error(`${command} ended with ${child.exitCode}`), { hasEnded: true })
    const answer = await fetch(`${base}/healthz`).catch(() => null)
    if (answer?.ok) return { base, pid: child.pid, stop: () => stop(child) }
    if (Date.now() > until) {
      await stop(child)
      throw new Error(`${base} did not answer within ${READY_MS / 1000} s`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const stop = (child) =>
  new Promise((resolve) => {
    if (child.exitCode !== null) return resolve()
    child.on('exit', resolve)
    child.kill('SIGKILL')
  })

const folder = () => `${process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`}/debug`

/** Serves the pages over the made-up world; each start is a new one. */
export const screens = () => run(`${folder()}/examples/screens`, (port) => [`127.0.0.1:${port}`])

/** Starts an empty `fallow dev` whose people sign in at its provider; sessions end after some idle seconds, which are more than a slow machine takes for a page. */
export const atProvider = () => {
  const args = ['dev', '--speed', '1', '--no-simulator', '--sign-in', 'provider']
  const argsOn = (console, grpc) => [...args, '--port', `${console}`, '--grpc-port', `${grpc}`]
  return run(`${folder()}/fallow`, argsOn, { FALLOW__IDENTITY__IDLE_SECONDS: '15' })
}

/** Starts `fallow dev` on free ports, by itself at real speed so that holds last as long as a test. */
export const dev = (binary, { speed = 1 } = {}) => {
  const argsOn = (console, grpc) => ['dev', '--speed', `${speed}`, '--port', `${console}`, '--grpc-port', `${grpc}`]
  return run(binary ?? `${folder()}/fallow`, argsOn)
}
