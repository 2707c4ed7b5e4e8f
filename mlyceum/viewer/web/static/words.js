// How figures are written: enough digits to tell scores apart.

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1000 || (Number.isInteger(value) && size >= 100)) return Math.round(value).toLocaleString("en");
  const text = value.toFixed(size < 10 ? digits : Math.max(1, digits - 2));
  return text.replace("-", "−");
}

export const whole = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en"));

export const withError = (value, error) =>
  value === null || value === undefined ? "–" : error > 0 ? `${number(value)} ±${number(error)}` : number(value);

export const dollars = (value) => (value === null || value === undefined ? "not known" : `$${value.toFixed(value < 1 ? 4 : 2)}`);

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 100) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${(value / 60).toFixed(1)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

export function ago(epoch) {
  const gap = Date.now() / 1000 - epoch;
  if (!epoch) return "–";
  if (gap < 90) return "just now";
  if (gap < 5400) return `${Math.round(gap / 60)} min ago`;
  if (gap < 129600) return `${Math.round(gap / 3600)} h ago`;
  return new Date(epoch * 1000).toISOString().slice(0, 10);
}

export const bytes = (count) => (count >= 1e6 ? `${(count / 1e6).toFixed(0)} MB` : `${(count / 1e3).toFixed(0)} kB`);

export const AXES = {
  evaluations: "evaluations", tokens: "tokens", cost_usd: "USD", steps: "steps", device_seconds: "device-seconds", wall_seconds: "seconds",
};

export const spending = (spent, budget = {}) =>
  Object.entries(spent).map(([axis, amount]) => {
    const figure = axis === "cost_usd" ? dollars(amount) : `${whole(amount)} ${AXES[axis] ?? axis}`;
    return budget[axis] === undefined ? figure : `${figure} of ${axis === "cost_usd" ? dollars(budget[axis]) : whole(budget[axis])}`;
  }).join(" · ") || "nothing";

/** Arrow for the better direction of a metric. */
export const arrow = (direction) => ({ max: "↑", min: "↓" })[direction] ?? "";
