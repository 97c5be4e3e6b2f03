package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.ListenAddress;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** URIs as doc/uri.md of the NBD project has them, and the commands around them. */
class NbdUrisTest {
    @ParameterizedTest
    @CsvSource({
        "/run/x.sock, disk, nbd+unix:///disk?socket=/run/x.sock",
        "/run/x.sock, '', nbd+unix:///?socket=/run/x.sock",
        "/a b/ü&?#%+.sock, disk 1, nbd+unix:///disk%201?socket=/a%20b/%C3%BC%26%3F%23%25%2B.sock",
        "/s, /dev/sda, nbd+unix:////dev/sda?socket=/s",
        "/s, 'it''s,a=b', nbd+unix:///it%27s%2Ca%3Db?socket=/s",
    })
    void unix(String path, String export, String uri) {
        assertEquals(uri, NbdUris.uri(new ListenAddress.Unix(Path.of(path)), export));
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, 10809, disk, nbd://127.0.0.1:10809/disk",
        "::1, 1, disk, nbd://[::1]:1/disk",
        "fe80::1%eth0, 1, disk, nbd://[fe80::1%25eth0]:1/disk",
        "example.org, 65535, '', nbd://example.org:65535/",
        "'', 10809, disk, nbd://localhost:10809/disk",
        "0.0.0.0, 10809, disk, nbd://localhost:10809/disk",
        "::, 10809, disk, nbd://localhost:10809/disk",
    })
    void tcp(String host, int port, String export, String uri) {
        assertEquals(uri, NbdUris.uri(new ListenAddress.Tcp(host, port), export));
    }

    @Test
    void anAbstractAddressIsNamedAsQemuDoes() {
        ListenAddress address = new ListenAddress.Abstract("a,b");
        String uri =
                "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"nbd\",\"server\":{\"type\":\"unix\",\"path\":\"a,b\","
                        + "\"abstract\":true},\"export\":\"it's \\\\ \\\"\\u0001\"}}";
        String export = "it's \\ \"\u0001";
        assertEquals(uri, NbdUris.uri(address, export));
        List<String> commands = NbdUris.attachCommands(address, export, 512, false);
        assertTrue(commands.contains("qemu-img convert -O raw '" + uri.replace("'", "'\\''") + "' copy.img"));
    }

    @Test
    void commandsAreQuotedForAShell() {
        List<String> commands =
                NbdUris.attachCommands(new ListenAddress.Unix(Path.of("/run/it's here")), "my disk", 4096, false);
        assertEquals(
                "sudo modprobe nbd && sudo nbd-client -unix '/run/it'\\''s here' /dev/nbd0 -name 'my disk'"
                        + " -block-size 4096",
                commands.get(0));
        assertTrue(commands.contains("nbdcopy 'nbd+unix:///my%20disk?socket=/run/it%27s%20here' copy.img"));
        String tcp = NbdUris.attachCommands(new ListenAddress.Tcp("::1", 10809), "", 512, true)
                .get(0);
        assertEquals("modprobe nbd && nbd-client ::1 10809 /dev/nbd0 -name '' -block-size 512", tcp);
    }
}
