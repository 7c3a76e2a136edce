import { defineConfig } from 'vitest/config'

/**
 * Two projects, one after the other: fast tests side by side first, then the suites that run the real
 * process (or a real server) one at a time, so that on two cores none starves another.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    setupFiles: ['test/open-handles.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['{src,destinations,bench}/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/end-to-end/**', 'test/containers/image.test.ts'],
          testTimeout: 30_000,
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'end-to-end',
          include: ['test/end-to-end/**/*.test.ts', 'test/containers/image.test.ts'],
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
