import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.ts'],
    // A process per file: the addon keeps threads and locks per process, and a crash must not take other files with it.
    pool: 'forks',
    maxWorkers: '100%',
    // Room for slow disks; no test measures time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // `import 'varve'` in a test is the built package, loaded by Node as users load it.
    server: { deps: { external: [/\/dist\//] } },
  },
})
