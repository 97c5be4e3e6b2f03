package io.remap.api.listen;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;

/**
 * The rules of abstract Unix addresses (unix(7)), whatever library the socket is of.
 *
 * <p>An abstract address has no mode: whoever is in the network namespace can connect. So the system is asked who it is
 * (SO_PEERCRED of socket(7) and unix(7)), and only root and the user of this process are served.
 */
public final class AbstractName {
    /** {@code sun_path} of unix(7) without the zero that makes the name abstract. */
    public static final int MAX_BYTES = 107;

    private static final int ROOT = 0;

    private AbstractName() {}

    /** Refuses a name that cannot be one. */
    public static void check(ListenAddress.Abstract address) throws Refusal {
        String name = address.name();
        if (name.isEmpty() || name.length() > MAX_BYTES || !name.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "'@" + name.replaceAll("[^!-~]", "?") + "' is no abstract address: expected @ and 1 to " + MAX_BYTES
                            + " visible ASCII characters");
        }
    }

    /** Somebody else has the name. */
    public static Refusal inUse(ListenAddress.Abstract address, Exception cause) {
        return new Refusal(
                Refusal.Kind.BUSY,
                "somebody listens on " + address + ": stop that server, or choose another name",
                cause);
    }

    /** How logs name who connected. */
    public static String peer(int uid) {
        return "unix uid " + Integer.toUnsignedString(uid);
    }

    /** Turns away a user who may not connect to a server of that one. */
    public static void demandWelcome(ListenAddress.Abstract address, int uid, int ownUid) throws Unwelcome {
        if (uid != ROOT && uid != ownUid) {
            throw new Unwelcome(address + ": hung up on " + peer(uid) + ": only root and uid "
                    + Integer.toUnsignedString(ownUid) + ", which serves, may connect");
        }
    }
}
