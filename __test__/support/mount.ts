/** File systems that are made for one test, to be filled up or taken away. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { onTestFinished, type TestContext } from 'vitest'
import { newPath } from './temp.js'

/**
 * A file system of `mebibytes` for this test alone. Where mounting is not allowed (no root, a container, another
 * system), the test is skipped with one line that says why.
 */
export function smallDisk(context: TestContext, kind: 'tmpfs' | 'ext4', mebibytes: number): string {
  const dir = newPath(kind)
  mkdirSync(dir)
  try {
    if (process.platform !== 'linux') throw new Error('loop and tmpfs mounts are of Linux')
    if (kind === 'tmpfs') {
      run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'varve-test', dir)
    } else {
      run('truncate', '-s', `${mebibytes}M`, `${dir}.img`)
      run('mkfs.ext4', '-q', '-F', '-m', '0', `${dir}.img`)
      run('mount', '-o', 'loop', `${dir}.img`, dir)
    }
  } catch (error) {
    const why = `cannot mount a small ${kind}: ${(error as Error).message.trim().split('\n').at(-1)}`
    console.log(`skipped: ${why}`)
    context.skip(why)
  }
  onTestFinished(() => run('umount', dir))
  return dir
}

function run(command: string, ...args: string[]) {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
