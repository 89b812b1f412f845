/**
 * How a shell calls this command once more. What a package manager started, by itself or in a script, is not on the shell's path.
 * @param userAgent - as every package manager tells it to what it starts: `npm/11.0.0 node/v24 ...`
 */
export function calledAs(userAgent: string = process.env["npm_config_user_agent"] ?? ""): string {
  const starters: Readonly<Record<string, string>> = {
    npm: "npx milliner",
    pnpm: "pnpm exec milliner",
    yarn: "yarn milliner",
    bun: "bunx milliner",
  };
  const [manager = ""] = userAgent.split("/");
  return Object.hasOwn(starters, manager) ? starters[manager]! : "milliner";
}
