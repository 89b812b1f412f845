// The environment for programs that scripts and tests start. Imports nothing from npm: setup.mjs uses it.

/** How to reach the registry: kept, because it may be set nowhere else. */
const connection = /^npm_config_(registry|cafile|ca|proxy|https?[-_]proxy|noproxy|strict[-_]ssl)$/i;

/**
 * This process's environment without what a package manager adds for the scripts that it runs: npm hands down its whole
 * configuration, and a package manager started by such a script takes that for its own.
 *
 * @returns {Record<string, string>}
 */
export function ownEnvironment() {
  const own = Object.entries(process.env).filter(
    ([name]) => connection.test(name) || !/^(npm_|pnpm_|INIT_CWD$)/i.test(name),
  );
  return Object.fromEntries(own);
}
