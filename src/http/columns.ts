/** What a row of a CSV has: cells by the names of their columns, in order. Names never change. */
export type Cell = string | number | boolean | null | undefined
export type Columns<Row> = Readonly<Record<string, (row: Row) => Cell>>
