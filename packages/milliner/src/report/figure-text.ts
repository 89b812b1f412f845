import { shortened } from "@milliner/core";

/** 0.99710 as "99.71 %"; a dash where nothing was measured. */
export function percent(share: number | null, digits = 2): string {
  return share === null ? "–" : `${(share * 100).toFixed(digits)} %`;
}

/** A difference of shares as signed percentage points. */
export function points(difference: number | null): string {
  if (difference === null) return "–";
  const text = Math.abs(difference * 100).toFixed(2);
  return text === "0.00" ? "0.00" : `${difference < 0 ? "−" : "+"}${text}`;
}

/** Bytes as kB or MB of 1000. */
export function bytes(count: number | null): string {
  if (count === null) return "–";
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(2)} MB`;
}

/** Seconds as "under 0.1 s", "51 s", "4 min 12 s", "2 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds > 0 && seconds < 0.05) return "under 0.1 s";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A count with thin spaces between thousands. */
export function count(value: number | null): string {
  return value === null ? "–" : String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** The start of a name, where there is no room for all of it. */
export function short(name: string, characters: number): string {
  return shortened(name, characters, "…");
}
