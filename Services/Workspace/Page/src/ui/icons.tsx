// Icons as lines of one weight. They are decoration: what they stand for is always said in words beside them.
const shapes = {
  home: "M3 10.5 12 3l9 7.5M5.5 9v11h13V9M10 20v-6h4v6",
  folder: "M3 6.5h6l2 2.5h10v10.5H3z",
  notebook: "M6 3h13v18H6zM6 3v18M3.5 7.5H6M3.5 12H6M3.5 16.5H6M10 8h5.5M10 12h5.5",
  file: "M6 3h8l4.5 4.5V21H6zM14 3v5h4.5",
  cluster: "M12 3 20 7.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  jobs: "M4 4h6v6H4zM14 14h6v6h-6zM10 7h4a3 3 0 0 1 3 3v4",
  runs: "M4 6h10M8 12h12M4 18h8",
  monitor: "M3 12h4l2.5-7 5 14L17 12h4",
  play: "M7 4.5v15l12-7.5z",
  stop: "M6.5 6.5h11v11h-11z",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  check: "M4.5 12.5 10 18 19.5 7",
  alert: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.3",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  chevron: "M9 5l7 7-7 7",
  chevronDown: "M5 9l7 7 7-7",
  pin: "M6.5 3h11v18L12 16.5 6.5 21z",
  trash: "M4 6.5h16M9 6.5V4h6v2.5M6.5 6.5 7.5 20h9l1-13.5M10 10.5v6M14 10.5v6",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  copy: "M8 8h12v12H8zM16 8V4H4v12h4",
  archive: "M3.5 4h17v5h-17zM5 9v11h14V9M10 13h4",
  download: "M12 4v11M7 10.5l5 5 5-5M4 20h16",
  upload: "M12 16V5M7 9.5l5-5 5 5M4 20h16",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  refresh: "M20 11a8 8 0 0 0-14-4.5L3.5 9M3.5 4v5h5M4 13a8 8 0 0 0 14 4.5l2.5-2.5M20.5 20v-5h-5",
  history: "M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 2",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.5l3 2",
  bolt: "M13 3 5 13.5h6L10 21l8-10.5h-6z",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20",
  people: "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M2.5 20c0-3.6 2.9-5.5 6.5-5.5s6.5 1.9 6.5 5.5M16 5.5a3 3 0 0 1 0 6M17.5 14.8c2.4.6 4 2.3 4 5.2",
  key: "M8 10.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M11.2 11.8 20 3M16.5 6.5l3 3",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h5M13 12h7M11 10v4",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M13.5 5l-3 14",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  undo: "M8 5 3.5 9.5 8 14M4 9.5h10a5.5 5.5 0 0 1 0 11H9",
  redo: "M16 5l4.5 4.5L16 14M20 9.5H10a5.5 5.5 0 0 0 0 11h5",
  keyboard: "M3 6.5h18v11H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name, size = 17 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8"
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={shapes[name]} strokeWidth={name === "more" ? 3 : undefined} />
    </svg>
  );
}
