package io.remap.cli;

import io.remap.cli.Terminal.Tone;
import java.util.List;

/**
 * A disk as rows of cells, each for an equal share of its sectors, showing the worst that is in its share: a single lost
 * sector among a billion is seen.
 */
final class MapPicture {
    /** What a cell shows, from harmless to worst. */
    enum Mark {
        ON_MAIN('\u00b7', '.', "on main", Tone.QUIET),
        ZERO('0', '0', "zeros, on neither", Tone.WARNING),
        REMAPPED('\u2588', '#', "on the spare", Tone.WARNING),
        AVOIDED('~', '~', "avoided", Tone.BAD),
        UNREADABLE('?', '?', "unreadable", Tone.BAD),
        LOST('X', 'X', "lost", Tone.BAD);

        private final char unicode;
        private final char ascii;
        private final String meaning;
        private final Tone tone;

        Mark(char unicode, char ascii, String meaning, Tone tone) {
            this.unicode = unicode;
            this.ascii = ascii;
            this.meaning = meaning;
            this.tone = tone;
        }
    }

    static final int COLUMNS = 64;
    private static final int MAX_ROWS = 4;

    private final long sectors;
    private final Mark[] cells;

    /** Of a disk with so many sectors, 1 or more. */
    MapPicture(long sectors) {
        this.sectors = sectors;
        this.cells = new Mark[(int) Math.min((long) COLUMNS * MAX_ROWS, sectors)];
        java.util.Arrays.fill(cells, Mark.ON_MAIN);
    }

    /** Adds sectors; those beyond the end are ignored. */
    void add(long firstSector, long lengthSectors, Mark mark) {
        long last = Math.min(firstSector + lengthSectors, sectors) - 1;
        if (firstSector < 0 || firstSector > last) {
            return;
        }
        for (int cell = cellOf(firstSector); cell <= cellOf(last); cell++) {
            if (mark.compareTo(cells[cell]) > 0) {
                cells[cell] = mark;
            }
        }
    }

    private int cellOf(long sector) {
        return (int) Math.min(cells.length - 1, (long) ((double) sector * cells.length / sectors));
    }

    Mark cell(int index) {
        return cells[index];
    }

    int cells() {
        return cells.length;
    }

    void print(Terminal terminal) {
        for (int start = 0; start < cells.length; start += COLUMNS) {
            StringBuilder row = new StringBuilder("  ");
            for (int cell = start; cell < Math.min(start + COLUMNS, cells.length); cell++) {
                Mark mark = cells[cell];
                row.append(terminal.tone(mark.tone, symbol(terminal, mark)));
            }
            terminal.line(row.toString());
        }
        StringBuilder legend = new StringBuilder("  ");
        for (Mark mark : List.of(Mark.values())) {
            legend.append(terminal.tone(mark.tone, symbol(terminal, mark)))
                    .append(' ')
                    .append(mark.meaning)
                    .append("   ");
        }
        long share = (sectors + cells.length - 1) / cells.length;
        terminal.line(legend + "one cell: up to " + share + (share == 1 ? " sector" : " sectors"));
    }

    private static String symbol(Terminal terminal, Mark mark) {
        return String.valueOf(terminal.unicode() ? mark.unicode : mark.ascii);
    }
}
