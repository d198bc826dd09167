-- The history of metrics. A scrape of one target is one row: its samples are an LZ4 frame of series ids and values.

CREATE TABLE series (
    series_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL,
    -- The target it comes from, so that a query reads only the scrapes that can hold it.
    target    text NOT NULL,
    -- Labels in the order of their names, as {"job":"cluster",...}.
    labels    text NOT NULL,
    UNIQUE (name, labels)
);

CREATE TABLE scrapes (
    target     text NOT NULL,
    scraped_at timestamptz NOT NULL,
    samples    bytea NOT NULL,
    PRIMARY KEY (target, scraped_at)
);
-- Rows come in the order of time, so a small index finds what is old enough to go.
CREATE INDEX scrapes_by_time ON scrapes USING brin (scraped_at);
