/**
 * A registry on this machine that has varve's tarballs and nothing else, so that package managers resolve, choose by
 * system and install them exactly as they will from npm. varve depends on nothing, so nothing else is asked for.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'

/**
 * @typedef {object} Published
 * @property {any} manifest its package.json
 * @property {string} file its tarball
 */

/**
 * @param {Published[]} packages
 * @returns {Promise<{ url: string, close(): void }>}
 */
export async function startRegistry(packages) {
  let url = ''
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1)
    const tarball = packages.find(({ file }) => path === `-/${basename(file)}`)
    if (tarball !== undefined) {
      response.end(readFileSync(tarball.file))
      return
    }
    const found = packages.find(({ manifest }) => manifest.name === path)
    response.setHeader('content-type', 'application/json')
    if (found === undefined) response.statusCode = 404
    response.end(JSON.stringify(found === undefined ? { error: 'not found' } : documentOf(found, url)))
  })
  await new Promise(listening => server.listen(0, '127.0.0.1', () => listening(undefined)))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return { url, close: () => server.close() }
}

/**
 * What the registry says of a package with this one version.
 *
 * @param {Published} published
 * @param {string} url
 */
function documentOf({ manifest, file }, url) {
  const { name, version } = manifest
  const bytes = readFileSync(file)
  const hash = (/** @type {string} */ algorithm) => createHash(algorithm).update(bytes)
  const dist = {
    tarball: `${url}/-/${basename(file)}`,
    integrity: `sha512-${hash('sha512').digest('base64')}`,
    shasum: hash('sha1').digest('hex'),
  }
  // Long ago: some package managers do not install what is younger than a day.
  const time = {
    created: '2020-01-01T00:00:00.000Z',
    modified: '2020-01-01T00:00:00.000Z',
    [version]: '2020-01-01T00:00:00.000Z',
  }
  return { name, 'dist-tags': { latest: version }, time, versions: { [version]: { ...manifest, dist } } }
}
