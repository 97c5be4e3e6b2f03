package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.ListenAddress.Abstract;
import io.remap.api.ListenAddress.Tcp;
import io.remap.api.ListenAddress.Unix;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.cli.MapPicture.Mark;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class ArgumentsTest {
    @Test
    void readsSectors() throws Exception {
        assertEquals(new SectorRange(7, 1), SectorArgument.parse("7"));
        assertEquals(new SectorRange(2048, 8), SectorArgument.parse("2048+8"));
        assertEquals(new SectorRange(2048, 8), SectorArgument.parse("2048-2055"));
        assertEquals(new SectorRange(5, 1), SectorArgument.parse("5-5"));
        for (String wrong : List.of("", "-1", "a", "1+0", "5-4", "1+", "1 + 2", "0x10", "9".repeat(19), "1+1+1")) {
            Refusal refusal = assertThrows(Refusal.class, () -> SectorArgument.parse(wrong), wrong);
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
        }
    }

    @Test
    void readsAddresses() throws Exception {
        assertEquals(new Tcp("", 10809), ListenArgument.parse("10809"));
        assertEquals(new Tcp("", 0), ListenArgument.parse(":0"));
        assertEquals(new Tcp("localhost", 1), ListenArgument.parse("localhost:1"));
        assertEquals(new Tcp("::1", 65_535), ListenArgument.parse("[::1]:65535"));
        for (String wrong : List.of("", "host", "host:", "::1:5", "a:65536", "a:-1", "[::1]", "a b:1", "a:999999")) {
            assertThrows(Refusal.class, () -> ListenArgument.parse(wrong), wrong);
        }
    }

    @Test
    void knowsWhichAddressesOnlyThisHostReaches() throws Exception {
        for (String local : List.of("1", ":1", "localhost:1", "127.0.0.1:1", "127.3.2.1:1", "[::1]:1")) {
            assertTrue(ListenArgument.isLoopback(ListenArgument.parse(local)), local);
        }
        for (String open : List.of("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1.example.org:1", "host:1")) {
            assertFalse(ListenArgument.isLoopback(ListenArgument.parse(open)), open);
        }
    }

    /** A command that took the name of an abstract address for a path would make a file of it. */
    @Test
    void everyServerTakesTheSameAddresses() throws Exception {
        String[] words = {"MAIN", "--socket", "@name", "--listen", "0.0.0.0:1", "--socket", "/a/../b"};
        ServeCommand serve = new ServeCommand();
        SimServeCommand sim = new SimServeCommand();
        for (Verb server : List.of(serve, sim)) {
            new CommandLine(server).setCaseInsensitiveEnumValuesAllowed(true).parseArgs(words);
        }
        for (ListenOptions options : List.of(serve.listen, sim.listen)) {
            List<String> warnings = new ArrayList<>();
            assertEquals(
                    List.of(new Abstract("name"), new Unix(Path.of("/b")), new Tcp("0.0.0.0", 1)),
                    options.addresses(warnings::add));
            assertEquals(1, warnings.size(), warnings.toString());
        }
    }

    @Test
    void thePictureShowsTheWorstOfEachCell() {
        MapPicture picture = new MapPicture(256L * 1000);
        assertEquals(256, picture.cells());
        picture.add(0, 1, Mark.REMAPPED);
        picture.add(5, 1, Mark.LOST);
        picture.add(6, 1, Mark.UNREADABLE);
        picture.add(1999, 2, Mark.REMAPPED);
        picture.add(255_999, 1_000_000, Mark.UNREADABLE);
        picture.add(256_000, 5, Mark.LOST);
        assertEquals(Mark.LOST, picture.cell(0));
        assertEquals(Mark.REMAPPED, picture.cell(1));
        assertEquals(Mark.REMAPPED, picture.cell(2));
        assertEquals(Mark.ON_MAIN, picture.cell(3));
        assertEquals(Mark.UNREADABLE, picture.cell(255));
    }

    @Test
    void thePictureOfASmallDiskHasOneCellForEachSector() {
        MapPicture picture = new MapPicture(3);
        assertEquals(3, picture.cells());
        picture.add(1, 1, Mark.LOST);
        assertEquals(
                List.of(Mark.ON_MAIN, Mark.LOST, Mark.ON_MAIN),
                List.of(picture.cell(0), picture.cell(1), picture.cell(2)));
    }
}
