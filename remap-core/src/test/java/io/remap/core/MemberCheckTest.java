package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import io.remap.testkit.CrashDevice;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** A further spare that fails, or has no certain copy of the table, is told of, and ends no check. */
class MemberCheckTest {
    private static final int INDEX = 2;

    private final MemberCheck check = new MemberCheck(Optional.empty(), 512);
    private final CrashDevice device = new CrashDevice("further.spare", 1 << 20, 512);

    private static SpareMember stated(boolean table) {
        return new SpareMember(INDEX, new UUID(1, 2), SpareMember.Use.PLAIN, 8, 7, table);
    }

    private MemberCheck.Member present(boolean table) {
        return MemberCheck.Member.present(stated(table), device, SpareSlots.of(4096, 8, 4096));
    }

    @Test
    void oneThatFailsIsAFinding() {
        check.add(present(false), spare -> {
            throw new DeviceException(spare.name(), "read", 4096, 4096, Errno.ENODEV);
        });
        Finding finding = check.findings().get(0);
        assertEquals(Severity.ERROR, finding.severity());
        assertTrue(
                finding.what().startsWith("spare 2: further.spare: read of bytes 4096+4096 failed"),
                finding.toString());
        assertTrue(check.hasFailed(INDEX));
        assertEquals(1, check.spares().size(), "it is listed all the same");
        check.addFailed(INDEX, new DeviceException("further.spare", "read", 0, 512, Errno.ENODEV));
        assertEquals(1, check.findings().size(), "told once");
        assertFalse(check.hasFailed(INDEX + 1));
    }

    @Test
    void aStatedTableThatIsNotThereForCertainIsAWarning() {
        TableCopy certain = new TableCopy(INDEX, 5, 0, List.of(stated(true)), true);
        TableCopy doubtful = new TableCopy(INDEX, 5, 0, List.of(stated(true)), false);
        check.addTable(present(true), Optional.of(certain));
        check.addTable(present(false), Optional.empty());
        check.addTable(present(false), Optional.of(doubtful));
        assertEquals(List.of(), check.findings());
        check.addTable(present(true), Optional.of(doubtful));
        check.addTable(present(true), Optional.empty());
        assertEquals(
                List.of(Severity.WARNING, Severity.WARNING),
                check.findings().stream().map(Finding::severity).toList());
        assertTrue(check.findings().get(0).what().contains("is not certain"));
        assertTrue(check.findings().get(1).what().contains("none can be loaded from it"));
    }
}
