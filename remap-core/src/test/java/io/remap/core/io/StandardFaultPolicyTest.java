package io.remap.core.io;

import static io.remap.api.spi.FaultPolicy.Verdict.BLAME_DEVICE;
import static io.remap.api.spi.FaultPolicy.Verdict.BLAME_SECTORS;
import static io.remap.api.spi.FaultPolicy.Verdict.RETRY;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.ErrorClass;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class StandardFaultPolicyTest {
    private static FaultPolicy policy(Map<String, String> settings) throws Refusal {
        return new StandardFaultPolicyProvider().open(new Settings(settings));
    }

    private static FaultPolicy defaults() throws Refusal {
        return policy(Map.of());
    }

    @ParameterizedTest
    @EnumSource(names = {"SECTOR", "SECTOR_OR_DEVICE", "TARGET"})
    void aSectorIsBlamedAfterAFewTriesOfALivingDevice(ErrorClass errorClass) throws Refusal {
        FaultPolicy policy = defaults();
        assertEquals(RETRY, policy.readFailed(errorClass, 1, true));
        assertEquals(RETRY, policy.readFailed(errorClass, 2, true));
        assertEquals(BLAME_SECTORS, policy.readFailed(errorClass, 3, true));
        assertEquals(BLAME_SECTORS, policy.readFailed(errorClass, Integer.MAX_VALUE, true));
        assertEquals(BLAME_SECTORS, policy.writeFailed(errorClass, 1, true));
        assertEquals(BLAME_SECTORS, policy.writeFailed(errorClass, Integer.MAX_VALUE, true));
    }

    @ParameterizedTest
    @EnumSource
    void noSectorOfADeadDeviceIsBlamed(ErrorClass errorClass) throws Refusal {
        FaultPolicy policy = defaults();
        for (int attempts : new int[] {1, 2, 3, 4, 100, Integer.MAX_VALUE}) {
            assertTrue(policy.readFailed(errorClass, attempts, false) != BLAME_SECTORS);
            assertTrue(policy.writeFailed(errorClass, attempts, false) != BLAME_SECTORS);
        }
        assertEquals(BLAME_DEVICE, policy.readFailed(errorClass, Integer.MAX_VALUE, false));
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"SECTOR", "SECTOR_OR_DEVICE", "TARGET", "HOST"})
    void everythingElseIsTheDevicesFaultAtOnce(ErrorClass errorClass) throws Refusal {
        assertEquals(BLAME_DEVICE, defaults().readFailed(errorClass, 1, true));
        assertEquals(BLAME_DEVICE, defaults().writeFailed(errorClass, 1, true));
    }

    @Test
    void aShortageOfTheHostIsWaitedOutAFewTimesAndBlamesNoSector() throws Refusal {
        FaultPolicy policy = defaults();
        for (int attempts = 1; attempts < 20; attempts++) {
            assertEquals(RETRY, policy.readFailed(ErrorClass.HOST, attempts, false));
            assertEquals(RETRY, policy.writeFailed(ErrorClass.HOST, attempts, true));
        }
        assertEquals(BLAME_DEVICE, policy.readFailed(ErrorClass.HOST, 20, true));
        assertEquals(BLAME_DEVICE, policy.writeFailed(ErrorClass.HOST, Integer.MAX_VALUE, true));
    }

    @ParameterizedTest
    @CsvSource({"1, 10", "2, 50", "3, 250", "4, 250", "2147483647, 250", "-2147483648, 250", "0, 10"})
    void backsOff(int attempts, long millis) throws Refusal {
        assertEquals(millis, defaults().retryDelayMillis(attempts));
    }

    @ParameterizedTest
    @CsvSource({"1, 60000", "2, 120000", "3, 240000", "11, 61440000", "12, 86400000", "2147483647, 86400000", "0, 60000"
    })
    void holdOffDoublesUpToADay(int failures, long millis) throws Refusal {
        assertEquals(millis, defaults().holdOffMillis(failures));
    }

    @Test
    void settingsChangeIt() throws Refusal {
        FaultPolicy policy = policy(Map.of(
                "retry-backoff-ms", "0, 7",
                "read-attempts", "1",
                "write-attempts", "2",
                "hold-off-ms", "0"));
        assertEquals(BLAME_SECTORS, policy.readFailed(ErrorClass.SECTOR, 1, true));
        assertEquals(RETRY, policy.writeFailed(ErrorClass.SECTOR, 1, true));
        assertEquals(0, policy.retryDelayMillis(1));
        assertEquals(7, policy.retryDelayMillis(9));
        assertEquals(0, policy.holdOffMillis(Integer.MAX_VALUE));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '=',
            value = {
                "retry-backoff-ms=''",
                "retry-backoff-ms=10,,50",
                "retry-backoff-ms=-1",
                "retry-backoff-ms=60001",
                "retry-backoff-ms=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
                "read-attempts=0",
                "write-attempts=101",
                "hold-off-max-ms=never"
            })
    void refusesWhatIsOutOfRange(String name, String value) {
        Refusal refusal = assertThrows(Refusal.class, () -> policy(Map.of(name, value)));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains(name), refusal.getMessage());
    }
}
