package io.remap.nbd;

import io.remap.api.ListenAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * How clients name an export (doc/uri.md of the NBD project), and commands that attach it.
 *
 * <p>NBD URIs cannot name an abstract Unix address, nor do libnbd and nbd-client take one. QEMU does, in the form that its
 * programs take wherever they take a file ({@code SocketAddress} of its QMP reference).
 */
final class NbdUris {
    private static final String UNRESERVED = "-._~";
    private static final String SAFE_IN_SHELL = "-._/+:=@%,";

    private NbdUris() {}

    /**
     * {@code nbd+unix:///NAME?socket=PATH} or {@code nbd://HOST:PORT/NAME}; for an abstract address {@code json:} and
     * what QEMU calls it.
     */
    static String uri(ListenAddress address, String exportName) {
        if (address instanceof ListenAddress.Unix unix) {
            return "nbd+unix:///" + encoded(exportName) + "?socket="
                    + encoded(unix.path().toAbsolutePath().toString());
        }
        if (address instanceof ListenAddress.Abstract name) {
            // With the raw format, so that QEMU does not guess one from what a guest wrote.
            return "json:{\"driver\":\"raw\",\"file\":{" + qemuOptions(name, exportName) + "}}";
        }
        ListenAddress.Tcp tcp = (ListenAddress.Tcp) address;
        String host = reachableHost(tcp);
        String inBrackets = host.indexOf(':') >= 0 ? "[" + host.replace("%", "%25") + "]" : host;
        return "nbd://" + inBrackets + ":" + tcp.port() + "/" + encoded(exportName);
    }

    /**
     * Commands for a shell.
     *
     * @param sectorBytes logical sector of the disk, which the Linux client has to be told
     * @param root the user has the rights that attaching to the kernel needs
     */
    static List<String> attachCommands(ListenAddress address, String exportName, int sectorBytes, boolean root) {
        String sudo = root ? "" : "sudo ";
        if (address instanceof ListenAddress.Abstract name) {
            String file = quoted(uri(address, exportName));
            String node = quoted("{\"node-name\":\"remap\"," + qemuOptions(name, exportName) + "}");
            return List.of(
                    sudo + "modprobe nbd && " + sudo + "qemu-nbd --connect=/dev/nbd0 " + file,
                    "qemu-system-x86_64 -blockdev " + node + " -device virtio-blk-pci,drive=remap",
                    "qemu-img convert -O raw " + file + " copy.img");
        }
        String uri = "'" + uri(address, exportName) + "'";
        String where = address instanceof ListenAddress.Unix unix
                ? "-unix " + quoted(unix.path().toAbsolutePath().toString())
                : quoted(reachableHost((ListenAddress.Tcp) address)) + " " + ((ListenAddress.Tcp) address).port();
        return List.of(
                sudo + "modprobe nbd && " + sudo + "nbd-client " + where + " /dev/nbd0 -name " + quoted(exportName)
                        + " -block-size " + sectorBytes,
                sudo + "modprobe nbd && " + sudo + "qemu-nbd --connect=/dev/nbd0 --format=raw " + uri,
                "mkdir -p nbd && nbdfuse nbd/disk " + uri,
                "qemu-system-x86_64 -drive format=raw,if=virtio,file=" + uri,
                "nbdcopy " + uri + " copy.img");
    }

    private static String qemuOptions(ListenAddress.Abstract address, String exportName) {
        return "\"driver\":\"nbd\",\"server\":{\"type\":\"unix\",\"path\":" + json(address.name())
                + ",\"abstract\":true},\"export\":" + json(exportName);
    }

    private static String json(String text) {
        StringBuilder result = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                result.append('\\').append(c);
            } else if (c < ' ') {
                result.append(String.format("\\u%04x", (int) c));
            } else {
                result.append(c);
            }
        }
        return result.append('"').toString();
    }

    /** A host that a client on this machine can connect to, where the server listens on all. */
    private static String reachableHost(ListenAddress.Tcp address) {
        return switch (address.host()) {
            case "", "0.0.0.0", "::", "0:0:0:0:0:0:0:0" -> "localhost";
            default -> address.host();
        };
    }

    private static String encoded(String text) {
        StringBuilder result = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            if (isAsciiLetterOrDigit(c) || c == '/' || UNRESERVED.indexOf(c) >= 0) {
                result.append(c);
            } else {
                result.append('%').append(Character.toUpperCase(Character.forDigit(c >> 4, 16)));
                result.append(Character.toUpperCase(Character.forDigit(c & 15, 16)));
            }
        }
        return result.toString();
    }

    private static String quoted(String text) {
        boolean safe = !text.isEmpty()
                && text.chars().allMatch(c -> isAsciiLetterOrDigit((char) c) || SAFE_IN_SHELL.indexOf(c) >= 0);
        return safe ? text : "'" + text.replace("'", "'\\''") + "'";
    }

    private static boolean isAsciiLetterOrDigit(char c) {
        return c < 0x80 && Character.isLetterOrDigit(c);
    }
}
